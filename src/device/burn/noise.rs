//! Random numbers on a device. Each is a function of a key and an index, so they do not depend on the order of kernels.
//!
//! The generator is the block cipher Speck32/64 (Beaulieu et al. 2013) on a counter: its words have 16 bits, so that nothing
//! overflows a 32-bit integer, and every device computes the same bits.

use burn::tensor::{Device, Int, Tensor};

use crate::base::device::burn::arange;

/// Rounds of Speck32/64 (table 4.1).
const ROUNDS: usize = 22;
const MASK: u32 = 0xffff;

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(crate) struct Noise {
    round_keys: [u32; ROUNDS],
}

/// A block's halves for each of n counters, of 16 bits each, `[n]`.
struct Blocks {
    high: Tensor<1, Int>,
    low: Tensor<1, Int>,
}

impl Noise {
    /// The stream of a key.
    pub fn new(key: u64) -> Self {
        let word = |at: u32| (key >> (16 * at)) as u32 & MASK;
        let mut l = [word(1), word(2), word(3)];
        let mut k = word(0);
        let round_keys = std::array::from_fn(|i| {
            let own = k;
            let next = ((k + rotate_right(l[i % 3], 7)) & MASK) ^ i as u32;
            l[i % 3] = next;
            k = rotate_left(k, 2) ^ next;
            own
        });
        Self { round_keys }
    }

    /// Uniform in [0, 1) with 24 bits, from the counters `first..first + count`, `[count]`.
    pub fn uniform(&self, first: usize, count: usize, device: &Device) -> Tensor<1> {
        let Blocks { high, low } = self.blocks(first, count, device);
        let bits = high.mul_scalar(256) + low.bitwise_right_shift_scalar(8);
        bits.float().mul_scalar(1.0 / f64::from(1 << 24))
    }

    /// Standard normal, from as many counters from 0 on, `[count]` (Box & Muller 1958).
    pub fn normal(&self, count: usize, device: &Device) -> Tensor<1> {
        let pairs = count.div_ceil(2);
        let Blocks { high, low } = self.blocks(0, pairs, device);
        // In (0, 1], with 32 bits towards 0, where the logarithm needs them.
        let unit = high.float().mul_scalar(65536.0) + low.float().add_scalar(0.5);
        let radius = unit.mul_scalar(2f64.powi(-32)).log().mul_scalar(-2.0).sqrt();
        let angle = self.uniform(pairs, pairs, device).mul_scalar(std::f64::consts::TAU);
        Tensor::cat(vec![radius.clone() * angle.clone().cos(), radius * angle.sin()], 0).narrow(0, 0, count)
    }

    fn blocks(&self, first: usize, count: usize, device: &Device) -> Blocks {
        let counter = arange(count, device).add_scalar(first as i32);
        let mut x = counter.clone().bitwise_right_shift_scalar(16);
        let mut y = counter.bitwise_and_scalar(MASK as i32);
        for &key in &self.round_keys {
            let rotated = x.clone().bitwise_right_shift_scalar(7) + x.bitwise_left_shift_scalar(9);
            // The parts of a rotation have no bit in common; what is carried past 16 bits goes.
            x = (rotated.bitwise_and_scalar(MASK as i32) + y.clone())
                .bitwise_and_scalar(MASK as i32)
                .bitwise_xor_scalar(key as i32);
            let rotated = y.clone().bitwise_left_shift_scalar(2).bitwise_and_scalar(MASK as i32)
                + y.bitwise_right_shift_scalar(14);
            y = rotated.bitwise_xor(x.clone());
        }
        Blocks { high: x, low: y }
    }
}

fn rotate_right(word: u32, by: u32) -> u32 {
    (word >> by | word << (16 - by)) & MASK
}

fn rotate_left(word: u32, by: u32) -> u32 {
    rotate_right(word, 16 - by)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::device::burn::present;

    #[test]
    fn a_block_by_the_cipher_s_own_example() {
        // Speck32/64, appendix C: key 1918 1110 0908 0100, plaintext 6574 694c, ciphertext a868 42f2.
        let noise = Noise::new(0x1918_1110_0908_0100);
        for device in present(&["flex"]) {
            let Blocks { high, low } = noise.blocks(0x6574_694c, 1, &device);
            let read = |half: Tensor<1, Int>| half.into_data().iter::<i64>().next();
            assert_eq!((read(high), read(low)), (Some(0xa868), Some(0x42f2)));
        }
    }
}
