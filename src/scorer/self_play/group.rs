//! Win proportions within each state's group of trajectories.

use std::collections::BTreeMap;

use super::{Questions, Segment, Wins};
use crate::base::random::Stream;
use crate::oracle::metered::DerivedCounts;
use crate::oracle::pairs::{all_pairs, sampled_pairs};
use crate::oracle::{Answer, OracleError, Pair};
use crate::rollout::Trajectory;
use crate::scorer::equivalence::EquivalenceClasses;
use crate::scorer::opponents::Opponents;
use crate::scorer::ranking::Ranking;

impl Questions<'_> {
    /// Win proportions within each group, window by window; every answer counts for both sides.
    pub(super) fn against_group(
        &mut self,
        segments: &[Segment],
        opponents: Opponents,
    ) -> Result<Vec<f64>, OracleError> {
        let rollout = self.batch.rollout;
        let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        for (at, s) in segments.iter().enumerate() {
            groups.entry((s.episode / rollout.per_state, s.window)).or_default().push(at);
        }
        let views = self.views(segments);
        if opponents == Opponents::Group
            && let Some(utilities) = self.oracle.utilities(views.iter().copied())
        {
            return self.ranked_in_groups(groups.into_values(), &views, &utilities);
        }
        if opponents == Opponents::Group
            && let Some(kinds) = self.oracle.classes(views.iter().copied())
        {
            return self.counted_in_groups(groups.into_values(), &views, &kinds);
        }
        let mut rng = self.batch.stream(Stream("opponent"), 0);
        let compared: Vec<(usize, usize)> = groups
            .values()
            .flat_map(|members| match opponents {
                Opponents::Sampled(m) => sampled_pairs(members, m, &mut rng),
                _ => all_pairs(members),
            })
            .collect();
        let pairs: Vec<_> = compared.iter().map(|&(i, j)| Pair { a: views[i], b: views[j] }).collect();
        let mut wins = vec![Wins::default(); segments.len()];
        for (&(i, j), answer) in compared.iter().zip(self.ask(&pairs, 0)?) {
            if let Answer::Prefer(p) = answer {
                wins[i].add(p);
                wins[j].add(1.0 - p);
            }
        }
        Ok(wins.into_iter().map(Wins::proportion).collect())
    }

    /// What all pairs would give, by sorting a group's utilities.
    fn ranked_in_groups(
        &mut self,
        groups: impl Iterator<Item = Vec<usize>>,
        views: &[Trajectory<'_>],
        utilities: &[f64],
    ) -> Result<Vec<f64>, OracleError> {
        let mut proportions = vec![0.5; utilities.len()];
        let mut decided = DerivedCounts::default();
        for members in groups {
            let ranking = Ranking::new(members.iter().map(|&at| (utilities[at], views[at].is_empty())));
            for &at in &members {
                let contestant = (utilities[at], views[at].is_empty());
                proportions[at] = ranking.proportion(contestant, true, &mut decided);
            }
        }
        // Each pair was counted from both of its sides.
        self.oracle.count_derived(DerivedCounts { asked: decided.asked / 2, tied: decided.tied / 2 })?;
        Ok(proportions)
    }

    /// What all pairs would give, from one answer for each pair of equivalence classes.
    fn counted_in_groups(
        &mut self,
        groups: impl Iterator<Item = Vec<usize>>,
        views: &[Trajectory<'_>],
        kinds: &[usize],
    ) -> Result<Vec<f64>, OracleError> {
        let mut rng = self.batch.stream(Stream("oracle"), 0);
        let mut proportions = vec![0.5; kinds.len()];
        let mut decided = DerivedCounts::default();
        for members in groups {
            let classes = EquivalenceClasses::new(members.iter().copied(), |member| kinds[member]);
            let pairs: Vec<_> = classes.pairs().map(|(i, j)| Pair { a: views[i], b: views[j] }).collect();
            let answers = self.oracle.between_classes(&pairs, &mut rng)?;
            let won = classes.proportions(&answers, &mut decided);
            members.iter().zip(won).for_each(|(&member, w)| proportions[member] = w);
        }
        self.oracle.count_derived(decided)?;
        Ok(proportions)
    }
}
