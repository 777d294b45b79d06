//! Disturbances that did not occur in training: of starts, observations, dynamics.

use std::sync::Arc;

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::Serialize;
use spo_envs::{ActionSpace, Env, EnvError, Frame, Spec, Step};

use spo::policy::normalizer::Normalizer;
use spo::rollout::{EnvFactory, Rollout};

/// Number of steps of a disturbed start: a tenth of the episode, at most ten.
pub fn first_steps(horizon: usize) -> usize {
    (horizon / 10).clamp(1, 10)
}

/// A change between policy and task that the policy is not told about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// Initial states and random draws of another seed.
    OtherStates,
    /// The first [`first_steps`] actions are drawn uniformly from the action space.
    RandomStart,
    /// The first action is held for [`first_steps`] steps.
    StuckStart,
    /// Normal noise on each observation, with this many of its standard deviations.
    Noise(f32),
    /// The distance of each action from the middle of its bounds is multiplied by this factor, then clipped to the bounds.
    Gain(f32),
    /// Each action comes one step late; the first action is the middle of the bounds, or the first option.
    Delay,
    /// With this probability an action is replaced by the one before it (sticky actions, Machado et al. 2018).
    Dropped(f64),
}

/// All disturbances of an audit, in the order of its page.
pub const ALL: [Disturbance; 9] = [
    Disturbance::OtherStates,
    Disturbance::RandomStart,
    Disturbance::StuckStart,
    Disturbance::Noise(0.01),
    Disturbance::Noise(0.1),
    Disturbance::Gain(0.8),
    Disturbance::Gain(1.2),
    Disturbance::Delay,
    Disturbance::Dropped(0.25),
];

impl Disturbance {
    /// The part of the loop that it changes.
    pub fn part(self) -> &'static str {
        match self {
            Self::OtherStates | Self::RandomStart | Self::StuckStart => "start",
            Self::Noise(_) => "observations",
            Self::Gain(_) | Self::Delay | Self::Dropped(_) => "dynamics",
        }
    }

    /// A description for a task.
    pub fn name(self, spec: &Spec) -> String {
        let first = first_steps(spec.horizon);
        match self {
            Self::OtherStates => "states of another seed".into(),
            Self::RandomStart if first == 1 => "first action random".into(),
            Self::RandomStart => format!("first {first} actions random"),
            Self::StuckStart => format!("first action held for {first} steps"),
            Self::Noise(share) => format!("noise of {share} standard deviations"),
            Self::Gain(gain) => format!("actions times {gain}"),
            Self::Delay => "actions a step late".into(),
            Self::Dropped(share) => format!("{:.0} % of actions lost", 100.0 * share),
        }
    }

    /// Whether it applies to a task with these actions and this length.
    pub fn applies(self, spec: &Spec) -> bool {
        match self {
            Self::Gain(_) => matches!(spec.action, ActionSpace::Continuous { .. }),
            Self::StuckStart => first_steps(spec.horizon) > 1,
            // An episode of one step has no later action.
            Self::Delay | Self::Dropped(_) => spec.horizon > 1,
            _ => true,
        }
    }

    /// The disturbed task. Noise is relative to the standard deviation of each observation in the `nominal` episodes.
    pub fn apply(self, factory: &EnvFactory, nominal: &Rollout) -> EnvFactory {
        let std: Arc<[f32]> = match self {
            Self::Noise(_) => spread(nominal).into(),
            _ => Arc::new([]),
        };
        let factory = factory.clone();
        Arc::new(move || {
            let env = factory()?;
            let action = vec![0.0; env.spec().action.dim()];
            let rng = ChaCha8Rng::seed_from_u64(0);
            Ok(Box::new(Disturbed { env, by: self, std: std.clone(), rng, steps: 0, action }))
        })
    }
}

/// Standard deviation of each observation over all steps, `[obs_dim]`.
fn spread(rollout: &Rollout) -> Vec<f32> {
    let dim = rollout.episodes.first().map_or(0, |e| e.final_obs.len());
    let mut all = Normalizer::identity(dim);
    if dim > 0 {
        rollout.episodes.iter().for_each(|e| all.update(&e.obs));
    }
    all.var.iter().map(|v| v.sqrt() as f32).collect()
}

/// A task with a disturbance.
struct Disturbed {
    env: Box<dyn Env>,
    by: Disturbance,
    std: Arc<[f32]>,
    rng: ChaCha8Rng,
    steps: usize,
    /// The latest action, as the policy gave it or as the task received it.
    action: Vec<f32>,
}

impl Disturbed {
    fn observe(&mut self, obs: &mut [f32]) {
        if let Disturbance::Noise(share) = self.by {
            for (x, std) in obs.iter_mut().zip(self.std.iter()) {
                *x += share * std * self.rng.sample::<f32, _>(StandardNormal);
            }
        }
    }

    fn begin(&mut self) {
        self.steps = 0;
        self.action = match &self.env.spec().action {
            ActionSpace::Continuous { low, high } => {
                low.iter().zip(high).map(|(l, h)| 0.5 * (l + h)).collect()
            }
            ActionSpace::Discrete(_) => vec![0.0],
        };
    }

    /// The action that the task receives for the policy's action `given`.
    fn act(&mut self, given: &[f32]) -> Vec<f32> {
        let early = self.steps < first_steps(self.env.spec().horizon);
        match (self.by, &self.env.spec().action) {
            (Disturbance::RandomStart, ActionSpace::Continuous { low, high }) if early => {
                low.iter().zip(high).map(|(&l, &h)| self.rng.random_range(l..=h)).collect()
            }
            (Disturbance::RandomStart, ActionSpace::Discrete(options)) if early => {
                vec![self.rng.random_range(0..*options) as f32]
            }
            (Disturbance::StuckStart, _) if early && self.steps > 0 => self.action.clone(),
            (Disturbance::Dropped(share), _) if self.steps > 0 && self.rng.random_bool(share) => {
                self.action.clone()
            }
            (Disturbance::Gain(gain), ActionSpace::Continuous { low, high }) => given
                .iter()
                .zip(low.iter().zip(high))
                .map(|(a, (l, h))| {
                    let middle = 0.5 * (l + h);
                    (middle + gain * (a - middle)).clamp(*l, *h)
                })
                .collect(),
            (Disturbance::Delay, _) => std::mem::replace(&mut self.action, given.to_vec()),
            _ => given.to_vec(),
        }
    }
}

impl Env for Disturbed {
    fn spec(&self) -> &Spec {
        self.env.spec()
    }

    fn reset(&mut self, rng: &mut dyn Rng, obs: &mut [f32]) {
        self.env.reset(rng, obs);
        // After the task's own draws, which stay the same as without a disturbance.
        self.rng = ChaCha8Rng::seed_from_u64(rng.next_u64());
        self.begin();
        self.observe(obs);
    }

    fn restore(&mut self, state: &[f64], obs: &mut [f32]) -> Result<(), EnvError> {
        self.env.restore(state, obs)?;
        self.begin();
        self.observe(obs);
        Ok(())
    }

    fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
        let taken = self.act(action);
        let step = self.env.step(&taken, obs);
        if self.by != Disturbance::Delay {
            self.action = taken;
        }
        self.steps += 1;
        self.observe(obs);
        step
    }

    fn fault(&self) -> Option<&str> {
        self.env.fault()
    }

    fn parts(&self) -> &[(&'static str, usize)] {
        self.env.parts()
    }

    fn frame(&self) -> Frame {
        self.env.frame()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spo::base::random::{Stream, stream};

    /// A task of a hundred steps whose observation is the action that it received.
    struct Echo(Spec);

    impl Env for Echo {
        fn spec(&self) -> &Spec {
            &self.0
        }

        fn reset(&mut self, _: &mut dyn Rng, obs: &mut [f32]) {
            obs[0] = 0.0;
        }

        fn step(&mut self, action: &[f32], obs: &mut [f32]) -> Step {
            obs[0] = action[0];
            Step::default()
        }
    }

    fn echo(action: ActionSpace) -> EnvFactory {
        Arc::new(move || {
            let (id, action) = ("echo".into(), action.clone());
            Ok(Box::new(Echo(Spec { id, obs_dim: 1, action, horizon: 100, dt: 0.0 })))
        })
    }

    /// The actions that the task receives if the policy's actions are 1, 2, 3, … twelfths of the upper bound.
    fn taken(by: Disturbance, nominal: &[f32]) -> Vec<f32> {
        let episode =
            spo::rollout::Episode { obs: nominal.to_vec(), final_obs: vec![0.0], ..Default::default() };
        let nominal = Rollout { episodes: vec![episode], per_state: 1 };
        let mut env = by.apply(&echo(ActionSpace::uniform(1, -2.0, 12.0)), &nominal)().unwrap();
        let mut obs = [0.0];
        env.reset(&mut stream(3, Stream("test"), 0, 0), &mut obs);
        (1..=12).map(|a| (env.step(&[a as f32], &mut obs), obs[0]).1).collect()
    }

    #[test]
    fn each_does_what_it_says() {
        let as_given: Vec<f32> = (1..=12).map(|a| a as f32).collect();
        assert_eq!(taken(Disturbance::OtherStates, &[]), as_given);
        // The middle of the bounds is 5: 5 + 1.2 (12 − 5) = 13.4 is beyond 12, and 5 + 1.2 (1 − 5) = 0.2.
        let gain = taken(Disturbance::Gain(1.2), &[]);
        assert!((gain[0] - 0.2).abs() < 1e-6 && gain[11] == 12.0, "{gain:?}");
        assert_eq!(taken(Disturbance::Delay, &[])[..4], [5.0, 1.0, 2.0, 3.0]);
        assert_eq!(taken(Disturbance::StuckStart, &[]), [[1.0; 10].as_slice(), &[11.0, 12.0]].concat());
        let random = taken(Disturbance::RandomStart, &[]);
        assert!(random[..10].iter().all(|a| (-2.0..=12.0).contains(a)) && random[..10] != as_given[..10]);
        assert_eq!(random[10..], [11.0, 12.0]);
        // Every action is the policy's own or the one before it.
        let dropped = taken(Disturbance::Dropped(0.5), &[]);
        assert!((1..12).all(|t| dropped[t] == as_given[t] || dropped[t] == dropped[t - 1]));
        assert!(dropped != as_given && dropped[0] == 1.0);
        assert_eq!(taken(Disturbance::Dropped(1.0), &[]), [1.0; 12]);
        // The nominal spread is 2: noise of a tenth of it.
        let noisy = taken(Disturbance::Noise(0.1), &[-2.0, 2.0]);
        let gaps: Vec<f64> = noisy.iter().zip(&as_given).map(|(n, a)| f64::from(n - a)).collect();
        let spread = spo::base::stats::std_dev(&gaps);
        assert!((0.08..0.4).contains(&spread), "{gaps:?}");
    }

    #[test]
    fn disturbances_that_do_not_apply_are_left_out() {
        let spec = |action, horizon| Spec { id: "x".into(), obs_dim: 1, action, horizon, dt: 0.0 };
        let once = spec(ActionSpace::Discrete(3), 1);
        let left: Vec<Disturbance> = ALL.into_iter().filter(|d| d.applies(&once)).collect();
        let noise = [Disturbance::Noise(0.01), Disturbance::Noise(0.1)];
        assert_eq!(left, [&[Disturbance::OtherStates, Disturbance::RandomStart], &noise[..]].concat());
        assert!(ALL.into_iter().all(|d| d.applies(&spec(ActionSpace::uniform(1, -1.0, 1.0), 20))));
        assert_eq!([1, 10, 19, 20, 200].map(first_steps), [1, 1, 1, 2, 10]);
    }
}
