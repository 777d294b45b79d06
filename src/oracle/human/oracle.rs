//! People as an [`Oracle`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;

use super::store::{LabelError, Store, Trainer};
use super::{now, pairs::BatchProgress};
use crate::oracle::human::Human;
use crate::oracle::{Answer, Oracle, OracleError, Pair};
use crate::rollout::replay_key::ReplayKey;

/// Time between two looks at the database: too short for a person to notice, long enough for the disk.
const POLL: Duration = Duration::from_millis(100);
/// Time between two signs of life of a trainer that waits.
const SIGN: Duration = Duration::from_secs(3);
/// A trainer without a sign of life for so long is taken to have ended.
pub const SILENCE: Duration = Duration::from_secs(10);

/// Called when the number of answers changes while a trainer waits.
pub type OnProgress = Box<dyn FnMut(&BatchProgress) + Send>;

/// Asks people: posts a batch of pairs, waits, and takes the answers.
///
/// It waits until every pair is answered, or until nobody has done anything for [`Human::patience`] and at least one
/// pair is answered; the other pairs are then abstentions. Without any answer there is nothing to learn from, and it
/// continues to wait. Answers that were taken stay: if it is asked again after a kill, it gives the same ones.
pub struct HumanOracle {
    store: Store,
    human: Human,
    on_progress: OnProgress,
    stop: Arc<AtomicBool>,
}

impl HumanOracle {
    /// People who answer in `store`. `on_progress` is called when the number of answers changes. Once `stop` is set,
    /// waiting ends in [`OracleError::Stopped`].
    pub fn new(store: Store, human: Human, on_progress: OnProgress, stop: Arc<AtomicBool>) -> Self {
        Self { store, human, on_progress, stop }
    }

    /// Waits for the pairs `ids`.
    fn wait(&mut self, ids: &[i64]) -> Result<(), OracleError> {
        let begun = now();
        let (mut reported, mut sign): (Option<BatchProgress>, Option<Instant>) = (None, None);
        loop {
            let progress = self.store.batch_progress(ids, self.human.votes).map_err(failed)?;
            if progress.done == progress.pairs || (progress.begun > 0 && self.is_over(&progress, begun)) {
                return self.store.set_trainer(Trainer::Training).map_err(failed);
            }
            if self.stop.load(Ordering::Relaxed) {
                self.store.set_trainer(Trainer::Stopped).map_err(failed)?;
                return Err(OracleError::Stopped);
            }
            if reported.is_none_or(|t| (t.done, t.begun) != (progress.done, progress.begun)) {
                (self.on_progress)(&progress);
                reported = Some(progress);
            }
            if sign.is_none_or(|at| at.elapsed() >= SIGN) {
                self.store.set_trainer(Trainer::Waiting).map_err(failed)?;
                sign = Some(Instant::now());
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether nobody has done anything for longer than the patience.
    fn is_over(&self, progress: &BatchProgress, begun: i64) -> bool {
        let idle = now() - progress.last_act.max(begun);
        self.human.patience.is_some_and(|patience| idle >= patience.as_millis() as i64)
    }
}

fn failed(error: LabelError) -> OracleError {
    OracleError::Failed(error.to_string())
}

/// The replay keys of both sides of a pair, by which people's pages show them.
fn replay_keys(pair: &Pair<'_>) -> Result<[ReplayKey; 2], OracleError> {
    let key = |t| {
        ReplayKey::new(t)
            .map_err(|why| OracleError::Failed(format!("people cannot be shown a trajectory: {why}")))
    };
    Ok([key(pair.a)?, key(pair.b)?])
}

impl Oracle for HumanOracle {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let Some(first) = pairs.first() else { return Ok(Vec::new()) };
        let replay_keys = pairs.iter().map(replay_keys).collect::<Result<Vec<_>, _>>()?;
        let round = first.a.origin.map_or(0, |o| o.start.iteration.saturating_add(1));
        let ids = self.store.post(round, &replay_keys).map_err(failed)?;
        self.wait(&ids)?;
        self.store.settle(&ids).map_err(failed)
    }
}
