//! Tests of the MuJoCo tasks that the contract and the recorded trajectories do not cover.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use spo_envs::{Checked, EnvError, Shape, make, mujoco, registry};

mod common;

/// Restores a state, makes one step and returns its outcome.
fn restored(id: &str, state: &[f64]) -> Result<(Vec<f32>, spo_envs::Step), EnvError> {
    let mut env = Checked::new(make(id)?);
    let mut obs = vec![0.0; env.spec().obs_dim];
    env.restore(state, &mut obs)?;
    let action = vec![0.0; env.spec().action.dim()];
    env.step(&action, &mut obs).map(|step| (obs, step))
}

#[test]
fn a_simulation_that_diverges_is_an_error_and_not_a_silent_reset() {
    if !common::available("HalfCheetah-v5") {
        return;
    }
    let mut state = [0.0; 18];
    state[9] = 1e12;
    let message = restored("HalfCheetah-v5", &state).unwrap_err().to_string();
    assert!(message.starts_with("HalfCheetah-v5: step 0: the simulation diverged"), "{message}");
    // The next episode works again.
    let mut env = Checked::new(make("HalfCheetah-v5").unwrap());
    let mut obs = [0.0; 17];
    env.restore(&state, &mut obs).unwrap();
    assert!(matches!(env.step(&[0.0; 6], &mut obs), Err(EnvError::Simulation { step: Some(0), .. })));
    assert!(matches!(env.step(&[0.0; 6], &mut obs), Err(EnvError::NotReset { .. })));
    env.reset(&mut ChaCha8Rng::seed_from_u64(0), &mut obs).unwrap();
    env.step(&[0.0; 6], &mut obs).unwrap();
    // MuJoCo wrote no log file either.
    assert!(!std::path::Path::new("MUJOCO_LOG.TXT").exists());
}

#[test]
fn falls_end_an_episode_and_speed_costs() {
    if !common::available("Hopper-v5") {
        return;
    }
    let mut hopper = [0.0; 12];
    hopper[1] = 1.25;
    assert!(!restored("Hopper-v5", &hopper).unwrap().1.terminated);
    hopper[1] = 0.6;
    let step = restored("Hopper-v5", &hopper).unwrap().1;
    assert!(step.terminated && step.reward < 0.5);
    // 2 m/s is above Hopper's 0.7402 and below HalfCheetah's 3.2096.
    hopper[1] = 1.25;
    hopper[6] = 2.0;
    assert_eq!(restored("Hopper-v5", &hopper).unwrap().1.cost, 1.0);
    let mut cheetah = [0.0; 18];
    cheetah[9] = 2.0;
    assert_eq!(restored("HalfCheetah-v5", &cheetah).unwrap().1.cost, 0.0);
    cheetah[9] = 5.0;
    assert_eq!(restored("HalfCheetah-v5", &cheetah).unwrap().1.cost, 1.0);
}

#[test]
fn a_target_beside_the_joints_can_be_restored() {
    if !common::available("dmc:reacher-easy") {
        return;
    }
    // The arm along x: the finger is at 0.24. position (2), to_target (2), velocity (2).
    let (obs, step) = restored("dmc:reacher-easy", &[0.0, 0.0, 0.0, 0.0, 0.24, 0.03]).unwrap();
    assert!((obs[2]).abs() < 1e-6 && (obs[3] - 0.03).abs() < 1e-6, "{obs:?}");
    // 0.03 is within 0.05 + 0.01; 0.07 is not.
    assert_eq!(step.reward, 1.0);
    let far = restored("dmc:reacher-easy", &[0.0, 0.0, 0.0, 0.0, 0.24, 0.07]).unwrap().1;
    assert_eq!(far.reward, 0.0);
    let message = restored("dmc:reacher-easy", &[0.0; 5]).unwrap_err().to_string();
    assert!(message.contains("4 finite numbers: qpos (2), qvel (2), and optionally target (2)"), "{message}");
}

#[test]
fn pictures_show_the_body_in_world_coordinates() {
    if !common::available("HalfCheetah-v5") {
        return;
    }
    let mut cheetah = Checked::new(make("HalfCheetah-v5").unwrap());
    let mut obs = [0.0; 17];
    let lines = |env: &Checked| env.frame().shapes.iter().filter(|s| matches!(s, Shape::Line { .. })).count();
    let mean_x = |env: &Checked| {
        let xs: Vec<f32> = (env.frame().shapes.iter())
            .filter_map(|s| match s {
                Shape::Line { from, to, width } if *width > 0.05 => Some((from[0] + to[0]) / 2.0),
                _ => None,
            })
            .collect();
        xs.iter().sum::<f32>() / xs.len() as f32
    };
    cheetah.restore(&[0.0; 18], &mut obs).unwrap();
    // The floor, the torso, the head and two legs of three.
    assert_eq!(lines(&cheetah), 9);
    let before = mean_x(&cheetah);
    let mut moved = [0.0; 18];
    moved[0] = 3.0;
    cheetah.restore(&moved, &mut obs).unwrap();
    assert!((mean_x(&cheetah) - before - 3.0).abs() < 1e-5);
}

#[test]
fn the_ant_that_observes_its_position_is_the_ant() {
    if !common::available("Ant-v5") {
        return;
    }
    let [mut ant, mut placed] = ["Ant-v5", "Ant-v5-xy"].map(|id| Checked::new(make(id).unwrap()));
    let (mut seen, mut with_place) = (vec![0.0; ant.spec().obs_dim], vec![0.0; placed.spec().obs_dim]);
    assert_eq!(with_place.len(), seen.len() + 2);
    ant.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut seen).unwrap();
    placed.reset(&mut ChaCha8Rng::seed_from_u64(3), &mut with_place).unwrap();
    for t in 0..20 {
        assert_eq!(with_place[2..], seen, "step {t}");
        let before = with_place[0];
        let action = [0.9, -0.7, 0.2, 0.4, -0.3, 0.8, -0.6, 0.1];
        let step = ant.step(&action, &mut seen).unwrap();
        assert_eq!(placed.step(&action, &mut with_place).unwrap(), step);
        assert!((with_place[0] - before).abs() < 1.0, "metres within 0.05 s");
    }
    let mut state = [0.0; 29];
    (state[0], state[1], state[2], state[3]) = (3.0, -1.5, 0.75, 1.0);
    placed.restore(&state, &mut with_place).unwrap();
    assert_eq!(with_place[..3], [3.0, -1.5, 0.75]);
}

#[test]
fn one_model_serves_tasks_on_many_threads() {
    if !common::available("Ant-v5") {
        return;
    }
    let run = || {
        let mut env = Checked::new(make("Ant-v5").unwrap());
        let mut obs = vec![0.0; env.spec().obs_dim];
        env.reset(&mut ChaCha8Rng::seed_from_u64(2), &mut obs).unwrap();
        for _ in 0..5 {
            env.step(&[0.3; 8], &mut obs).unwrap();
        }
        obs
    };
    let workers: Vec<_> = (0..8).map(|_| std::thread::spawn(run)).collect();
    let here = run();
    assert!(workers.into_iter().all(|worker| worker.join().unwrap() == here));
}

#[test]
fn the_library_that_is_found_is_checked() {
    assert!(registry().iter().filter(|entry| entry.needs_mujoco()).count() == 27);
    if !common::available("HalfCheetah-v5") {
        return;
    }
    let report = mujoco::check().unwrap();
    assert_eq!(report.version, mujoco::VERSION);
}
