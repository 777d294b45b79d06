//! The parts of trajectories that are compared: aligned windows of n steps, or the whole.

use std::ops::Range;

use super::{Episode, Trajectory};

/// How trajectories are cut into windows: the first n steps, the next n, and so on, the last possibly shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// n; `None` keeps trajectories whole.
    steps: Option<usize>,
}

impl Windows {
    /// Windows of `steps` steps; `None` keeps trajectories whole.
    pub fn new(steps: Option<usize>) -> Self {
        Self { steps }
    }

    /// Steps of a full window of a trajectory of `length` steps.
    pub fn width(self, length: usize) -> usize {
        self.steps.map_or(length, |steps| steps.min(length))
    }

    /// How many windows a trajectory of `length` steps has; a whole trajectory is one.
    pub fn count(self, length: usize) -> usize {
        self.steps.map_or(1, |steps| length.div_ceil(steps))
    }

    /// The steps of a window of a trajectory of `length` steps; none of them after its end.
    pub fn range(self, window: usize, length: usize) -> Range<usize> {
        self.steps.map_or(0..length, |steps| (window * steps).min(length)..((window + 1) * steps).min(length))
    }

    /// A window of an episode as an oracle sees it; empty after the episode's end.
    pub fn view(self, episode: &Episode, window: usize) -> Trajectory<'_> {
        let range = self.range(window, episode.len());
        episode.window(range.start, range.end)
    }

    /// How many windows the longest of some episodes has; 0 of none.
    pub fn most<'a>(self, episodes: impl IntoIterator<Item = &'a Episode>) -> usize {
        episodes.into_iter().map(|e| self.count(e.len())).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_steps_are_three_windows_of_two() {
        let windows = Windows::new(Some(2));
        assert_eq!((windows.count(5), windows.width(5), windows.width(1)), (3, 2, 1));
        assert_eq!([0, 1, 2, 3].map(|w| windows.range(w, 5)), [0..2, 2..4, 4..5, 5..5]);
        let whole = Windows::new(None);
        assert_eq!((whole.count(5), whole.width(5), whole.range(0, 5)), (1, 5, 0..5));
        let episode = |steps: usize| Episode { rewards: vec![0.0; steps], ..Episode::default() };
        assert_eq!(windows.most(&[episode(1), episode(5)]), 3);
        assert_eq!(windows.most(&[]), 0);
    }
}
