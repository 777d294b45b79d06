//! The contract that every task of the registry keeps.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spo_envs::{ActionSpace, Checked, EnvError, Shape, Spec, make, registry};

mod common;

/// The ids of all tasks that can be made here; without MuJoCo, all others.
fn ids() -> impl Iterator<Item = &'static str> {
    registry().iter().map(|entry| entry.id).filter(|id| common::available(id))
}

fn action(spec: &Spec, rng: &mut impl Rng, corner: bool) -> Vec<f32> {
    match &spec.action {
        ActionSpace::Discrete(n) => vec![rng.random_range(0..*n) as f32],
        ActionSpace::Continuous { low, high } => (low.iter().zip(high))
            .map(|(&l, &h)| {
                let u: f32 = if corner { f32::from(u8::from(rng.random_bool(0.5))) } else { rng.random() };
                l + u * (h - l)
            })
            .collect(),
    }
}

/// 2000 steps with resets: observations, rewards, and the lengths of the episodes.
fn play(id: &str, seed: u64, corner: bool) -> (Vec<f32>, Vec<usize>) {
    let mut env = Checked::new(make(id).unwrap());
    let spec = env.spec().clone();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut obs, mut seen, mut lengths, mut length) = (vec![0.0; spec.obs_dim], Vec::new(), Vec::new(), 0);
    env.reset(&mut rng, &mut obs).unwrap();
    for _ in 0..2000 {
        let step = env.step(&action(&spec, &mut rng, corner), &mut obs).unwrap();
        seen.extend_from_slice(&obs);
        seen.push(step.reward);
        length += 1;
        assert!(length <= spec.horizon, "{id} ran past its horizon");
        assert!(!(step.terminated && step.truncated), "{id} ended twice");
        if step.truncated {
            assert_eq!(length, spec.horizon, "{id} was truncated early");
        }
        if step.terminated || step.truncated {
            lengths.push(std::mem::take(&mut length));
            let after = env.step(&action(&spec, &mut rng, corner), &mut obs);
            assert!(matches!(after, Err(EnvError::NotReset { .. })), "{id} steps on after its end");
            env.reset(&mut rng, &mut obs).unwrap();
        }
    }
    (seen, lengths)
}

#[test]
fn same_seed_same_trajectory_and_finite_under_any_action() {
    for id in ids() {
        for corner in [false, true] {
            let (seen, lengths) = play(id, 3, corner);
            assert!(seen.iter().all(|x| x.is_finite()), "{id}");
            assert!(!lengths.is_empty(), "{id} never ended");
            assert_eq!(seen, play(id, 3, corner).0, "{id} differs from itself");
        }
        if !id.starts_with("options") {
            assert_ne!(play(id, 3, false).0, play(id, 4, false).0, "{id} ignores its seed");
        }
    }
}

#[test]
fn specs_are_sound_and_copies_of_a_state_agree() {
    for id in ids() {
        let (mut a, mut b) = (Checked::new(make(id).unwrap()), Checked::new(make(id).unwrap()));
        let spec = a.spec().clone();
        assert_eq!(spec.id, id);
        assert!(spec.obs_dim > 0 && spec.horizon > 0 && spec.dt >= 0.0);
        match &spec.action {
            ActionSpace::Continuous { low, high } => assert!(low.iter().zip(high).all(|(l, h)| l < h)),
            ActionSpace::Discrete(n) => assert!(*n >= 2),
        }
        let rng = ChaCha8Rng::seed_from_u64(9);
        let (mut x, mut y) = (vec![0.0; spec.obs_dim], vec![1.0; spec.obs_dim]);
        a.reset(&mut rng.clone(), &mut x).unwrap();
        b.reset(&mut rng.clone(), &mut y).unwrap();
        assert_eq!(x, y, "{id}: clones of one generator, two states");
        let shapes = a.frame().shapes;
        assert_eq!(shapes.is_empty(), id.starts_with("options"), "{id}");
        assert!(shapes.iter().all(|s| match s {
            Shape::Line { from, to, width } => from.iter().chain(to).all(|v| v.is_finite()) && *width > 0.0,
            Shape::Circle { centre, radius } => centre.iter().all(|v| v.is_finite()) && *radius > 0.0,
        }));
        let parts = make(id).unwrap().parts().iter().map(|(_, len)| len).sum::<usize>();
        assert!(parts == 0 || parts == spec.obs_dim, "{id}: its parts are not the whole");
    }
}

#[test]
fn bad_input_is_an_error_that_names_the_task() {
    for id in ids() {
        let mut env = Checked::new(make(id).unwrap());
        let spec = env.spec().clone();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let good = action(&spec, &mut rng, false);
        let mut obs = vec![0.0; spec.obs_dim];
        assert!(matches!(env.step(&good, &mut obs), Err(EnvError::NotReset { .. })));
        assert!(matches!(env.reset(&mut rng, &mut []), Err(EnvError::Shape { .. })));
        env.reset(&mut rng, &mut obs).unwrap();
        let long = [good.clone(), vec![0.0]].concat();
        for (bad, what) in [
            (vec![], "numbers, expected"),
            (long, "numbers, expected"),
            (vec![f32::NAN; good.len()], "expected a finite number"),
            (vec![f32::INFINITY; good.len()], "expected a finite number"),
        ] {
            let message = env.step(&bad, &mut obs).unwrap_err().to_string();
            assert!(message.starts_with(id) && message.contains(what), "{message}");
        }
        if let ActionSpace::Discrete(n) = spec.action {
            for bad in [-1.0, 0.5, n as f32] {
                assert!(matches!(env.step(&[bad], &mut obs), Err(EnvError::Option { .. })));
            }
        }
        assert!(matches!(env.restore(&[f64::NAN; 99], &mut obs), Err(EnvError::State { .. })));
        // A refused action did not move the task.
        env.step(&good, &mut obs).unwrap();
    }
}

#[test]
fn actions_out_of_bounds_act_as_the_nearest_bound() {
    // MountainCarContinuous computes its cost from the requested action; only the motion is clipped, as in Gymnasium.
    for id in ids() {
        let ActionSpace::Continuous { high, .. } = make(id).unwrap().spec().action.clone() else { continue };
        let after = |scale: f32| {
            let mut env = Checked::new(make(id).unwrap());
            let mut obs = vec![0.0; env.spec().obs_dim];
            env.reset(&mut ChaCha8Rng::seed_from_u64(5), &mut obs).unwrap();
            env.step(&high.iter().map(|h| h * scale).collect::<Vec<_>>(), &mut obs).unwrap();
            obs
        };
        assert_eq!(after(1.0), after(7.0), "{id}");
    }
}

#[test]
fn names() {
    assert_eq!(make("Pendulum-v1").unwrap().spec().id, "pendulum");
    assert_eq!(make("options-17").unwrap().spec().action, ActionSpace::Discrete(17));
    assert!(
        matches!(make("HalfCheetah-v4"), Err(EnvError::Unknown { nearest: Some(near), .. }) if near == "HalfCheetah-v5")
    );
    for bad in ["options-1", "options-x", "", "halfcheet", "@5", "nothing@5"] {
        assert!(matches!(make(bad), Err(EnvError::Unknown { .. })), "{bad}");
    }
}

#[test]
fn a_number_of_steps_after_the_name_is_the_horizon() {
    for id in ids() {
        let whole = make(id).unwrap();
        let mut env = Checked::new(make(&format!("{id}@7")).unwrap());
        let spec = Spec { id: format!("{id}@7"), horizon: 7, ..whole.spec().clone() };
        assert_eq!(*env.spec(), spec);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut obs = vec![0.0; spec.obs_dim];
        env.reset(&mut rng, &mut obs).unwrap();
        for step in 1..=7 {
            let done = env.step(&action(&spec, &mut rng, false), &mut obs).unwrap();
            assert_eq!(done.truncated, !done.terminated && step == 7, "{id}");
            if done.terminated {
                break;
            }
        }
        assert_eq!(env.frame().shapes.len(), whole.frame().shapes.len());
    }
    assert_eq!(make("Pendulum-v1@100").unwrap().spec().id, "pendulum@100");
    for bad in ["pendulum@", "pendulum@0", "pendulum@-3", "pendulum@2.5", "pendulum@1000001", "pendulum@5@6"]
    {
        let message = make(bad).err().unwrap().to_string();
        assert!(message.contains(bad) && message.contains("number of steps of an episode"), "{message}");
    }
}
