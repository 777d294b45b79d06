//! People as an [`Oracle`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;

use super::store::{LabelError, Store, Trainer};
use super::{now, pairs::Standing};
use crate::oracle::human::Human;
use crate::oracle::{Answer, Oracle, OracleError, Pair};
use crate::rollout::replay_key::ReplayKey;

/// Between two looks at the database: not felt by a person, and nothing for the disk.
const LOOK: Duration = Duration::from_millis(100);
/// Between two signs of life of a trainer that waits.
const SIGN: Duration = Duration::from_secs(3);
/// After so long without one it is taken to be gone.
pub const SILENCE: Duration = Duration::from_secs(10);

/// What a trainer that waits says.
pub type Tell = Box<dyn FnMut(&Standing) + Send>;

/// Asks people: posts a batch of pairs, waits, and takes what has been answered.
///
/// It waits until every pair is answered, or until nobody has done anything for [`Human::patience`] and one pair at
/// least is answered: the others are abstentions then. Without any answer there is nothing to learn from, and it waits
/// on. What was once taken stays: asked again after a kill, it answers as it did.
pub struct HumanOracle {
    store: Store,
    human: Human,
    tell: Tell,
    stop: Arc<AtomicBool>,
}

impl HumanOracle {
    /// People who answer in `store`. `tell` is called whenever the number of answers changes; once `stop` is set, a
    /// wait ends in [`OracleError::Stopped`].
    pub fn new(store: Store, human: Human, tell: Tell, stop: Arc<AtomicBool>) -> Self {
        Self { store, human, tell, stop }
    }

    /// Waits for the pairs `ids`.
    fn wait(&mut self, ids: &[i64]) -> Result<(), OracleError> {
        let begun = now();
        let (mut told, mut sign): (Option<Standing>, Option<Instant>) = (None, None);
        loop {
            let standing = self.store.standing(ids, self.human.votes).map_err(failed)?;
            if standing.done == standing.pairs || (standing.begun > 0 && self.is_over(&standing, begun)) {
                return self.store.set_trainer(Trainer::Training).map_err(failed);
            }
            if self.stop.load(Ordering::Relaxed) {
                self.store.set_trainer(Trainer::Stopped).map_err(failed)?;
                return Err(OracleError::Stopped);
            }
            if told.is_none_or(|t| (t.done, t.begun) != (standing.done, standing.begun)) {
                (self.tell)(&standing);
                told = Some(standing);
            }
            if sign.is_none_or(|at| at.elapsed() >= SIGN) {
                self.store.set_trainer(Trainer::Waiting).map_err(failed)?;
                sign = Some(Instant::now());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether nobody has done anything for too long.
    fn is_over(&self, standing: &Standing, begun: i64) -> bool {
        let idle = now() - standing.last_act.max(begun);
        self.human.patience.is_some_and(|patience| idle >= patience.as_millis() as i64)
    }
}

fn failed(error: LabelError) -> OracleError {
    OracleError::Failed(error.to_string())
}

impl Oracle for HumanOracle {
    fn compare(&mut self, pairs: &[Pair<'_>], _: &mut dyn Rng) -> Result<Vec<Answer>, OracleError> {
        let Some(first) = pairs.first() else { return Ok(Vec::new()) };
        let replay_keys = pairs.iter().map(ReplayKey::from_pair).collect::<Result<Vec<_>, _>>()?;
        let round = first.a.origin.map_or(0, |o| o.start.iteration.saturating_add(1));
        let ids = self.store.post(round, &replay_keys).map_err(failed)?;
        self.wait(&ids)?;
        self.store.settle(&ids).map_err(failed)
    }
}
