//! Random streams: one seed per run, one stream per purpose, derived by name.
//!
//! A stream depends only on (seed, name, iteration, index). So the number of draws in one part of the program does not
//! change another part, results do not depend on the number of threads, and a checkpoint needs to save no generator.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The name of a random stream: at most eight ASCII characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(pub &'static str);

/// The random generator of `stream` for one `iteration` and `index` (a state, a trajectory) of a run.
pub fn stream(seed: u64, stream: Stream, iteration: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..8 + stream.0.len()].copy_from_slice(stream.0.as_bytes());
    key[16..24].copy_from_slice(&iteration.to_le_bytes());
    key[24..].copy_from_slice(&index.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn every_part_of_the_name_makes_another_stream() {
        let draw = |seed, name, i, k| stream(seed, Stream(name), i, k).next_u64();
        let all = [
            draw(0, "reset", 0, 0),
            draw(1, "reset", 0, 0),
            draw(0, "action", 0, 0),
            draw(0, "reset", 1, 0),
            draw(0, "reset", 0, 1),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| a != b));
        }
        assert_eq!(draw(7, "reset", 3, 2), draw(7, "reset", 3, 2));
    }
}
