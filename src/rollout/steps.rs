//! Splits a signal with one number per step, `[Σ T]`, into one part per trajectory.

use super::{Episode, Rollout};

/// The parts of a signal for trajectories of given lengths, in order.
pub struct PerEpisode<'s, T, L> {
    rest: &'s [T],
    lengths: L,
}

/// Splits `signal` `[Σ T]` into one part for each of `lengths`. A length may also count several numbers per step; the parts
/// then contain whole rows.
///
/// # Panics
/// The iterator panics if `signal` is shorter than the sum of the lengths.
pub fn per_episode<T, L: IntoIterator<Item = usize>>(
    signal: &[T],
    lengths: L,
) -> PerEpisode<'_, T, L::IntoIter> {
    PerEpisode { rest: signal, lengths: lengths.into_iter() }
}

impl<'s, T, L: Iterator<Item = usize>> Iterator for PerEpisode<'s, T, L> {
    type Item = &'s [T];

    fn next(&mut self) -> Option<&'s [T]> {
        let (own, rest) = self.rest.split_at(self.lengths.next()?);
        self.rest = rest;
        Some(own)
    }
}

/// Like [`per_episode`], for a signal that is changed in place.
pub fn per_episode_mut<T>(
    signal: &mut [T],
    lengths: impl IntoIterator<Item = usize>,
) -> impl Iterator<Item = &mut [T]> {
    lengths.into_iter().scan(signal, |rest, length| {
        let (own, tail) = std::mem::take(rest).split_at_mut(length);
        *rest = tail;
        Some(own)
    })
}

impl Rollout {
    /// The part of a signal `[Σ T]` that belongs to each episode.
    pub fn per_episode<'s>(&self, signal: &'s [f32]) -> impl Iterator<Item = &'s [f32]> {
        per_episode(signal, self.episodes.iter().map(Episode::len))
    }

    /// The sum of a signal `[Σ T]` over each episode, in double precision.
    pub fn totals(&self, signal: &[f32]) -> Vec<f64> {
        self.per_episode(signal).map(|own| own.iter().map(|&s| f64::from(s)).sum()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_cut_by_lengths() {
        let signal = [1.0, 2.0, 3.0, 4.0];
        let parts: Vec<&[f64]> = per_episode(&signal, [2, 0, 1]).collect();
        assert_eq!(parts, [&[1.0, 2.0][..], &[], &[3.0]]);
        let mut signal = [1, 2, 3, 4];
        per_episode_mut(&mut signal, [1, 3]).for_each(|own| own.reverse());
        assert_eq!(signal, [1, 4, 3, 2]);
        let episode = |steps: usize| Episode { rewards: vec![0.0; steps], ..Episode::default() };
        let rollout = Rollout { episodes: vec![episode(1), episode(3)], per_state: 2 };
        assert_eq!(rollout.totals(&[1.0, 2.0, 3.0, 4.0]), [1.0, 9.0]);
    }
}
