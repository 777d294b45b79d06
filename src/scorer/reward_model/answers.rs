//! Answered comparisons: their purpose, and their rows in a checkpoint.

use super::queries::Clip;
use crate::rollout::Episode;

/// An answered comparison of two segments of stored episodes.
#[derive(Clone, Copy)]
pub(super) struct Answered {
    pub clips: [Clip; 2],
    /// P(a ≻ b): that the first is better or, for a cost model, less safe.
    pub p: f32,
    pub part: Part,
    /// For a cost model, the verdict on each segment: 1 unsafe, −1 safe, 0 not known. They are not stored in the row.
    pub signs: [f32; 2],
}

/// The purpose of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The fit of the model.
    Train,
    /// Accuracy and calibration.
    HeldOut,
    /// The fit of the other model of a split.
    Other,
}

impl Part {
    /// All purposes, in the order of their numbers in a checkpoint.
    const ALL: [Self; 3] = [Self::Train, Self::HeldOut, Self::Other];

    /// The purpose of the next answer after `before` others. A share of `held_out` is held out, evenly spread: every tenth for
    /// 0.1, and never the first. With a split, every other one of the rest is for the second model.
    pub fn of_answer(before: u64, held_out: f64, split: bool) -> Self {
        let share = |n: u64| (n as f64 * held_out) as u64;
        match before - share(before) {
            _ if share(before + 1) > share(before) => Self::HeldOut,
            others if split && others % 2 == 1 => Self::Other,
            _ => Self::Train,
        }
    }
}

/// Numbers of a row: (episode, from, to) twice, P(a ≻ b), the purpose.
pub(super) const ROW: usize = 8;

impl Answered {
    /// The answer as a row; episodes are numbered as in the checkpoint.
    pub fn row(&self, place: impl Fn(u64) -> usize) -> [f32; ROW] {
        let numbers = |clip: Clip| [place(clip.episode), clip.from, clip.to].map(|n| n as f32);
        let [[a, a_from, a_to], [b, b_from, b_to]] = self.clips.map(numbers);
        [a, a_from, a_to, b, b_from, b_to, self.p, f32::from(self.part as u8)]
    }

    /// The answer of a row.
    ///
    /// # Errors
    /// A message that says what is wrong with the row.
    pub fn from_row(row: &[f32], episodes: &[Episode]) -> Result<Self, String> {
        let clip = |at: usize| {
            let [episode, from, to] = [0, 1, 2].map(|i| row.get(at + i).map_or(usize::MAX, |&n| n as usize));
            let steps = episodes.get(episode).map_or(0, Episode::len);
            if from >= to || to > steps {
                return Err("`answered` names steps that it does not hold".to_string());
            }
            Ok(Clip { episode: episode as u64, from, to })
        };
        match (row, clip(0), clip(3)) {
            (&[.., p, part], Ok(a), Ok(b)) if row.len() == ROW => match Part::ALL.get(part as usize) {
                Some(&part) => Ok(Self { clips: [a, b], p, part, signs: [0.0; 2] }),
                None => Err("`answered` has a part that is not known".into()),
            },
            (_, Err(why), _) | (_, _, Err(why)) => Err(why),
            _ => Err("`answered` ends within a row".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_held_out_and_the_rest_is_halved() {
        let parts = |split: bool| -> Vec<Part> { (0..10).map(|n| Part::of_answer(n, 0.2, split)).collect() };
        let (t, h, o) = (Part::Train, Part::HeldOut, Part::Other);
        assert_eq!(parts(false), [t, t, t, t, h, t, t, t, t, h]);
        assert_eq!(parts(true), [t, o, t, o, h, t, o, t, o, h]);
    }
}
