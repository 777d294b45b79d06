//! Pairs as two replays.

use spo::rollout::replay_key::ReplayKey;
use spo::rollout::{Phase, Start};
use spo::train::registered;
use spo_cli::web::picture::Picture;

#[test]
fn every_task_that_draws_can_be_shown_whole_and_in_windows() {
    for entry in spo_envs::registry() {
        let Ok(mut env) = entry.make() else { continue };
        let (dim, mut obs) = (env.spec().action.dim(), vec![0.0; env.spec().obs_dim]);
        let start = Start { seed: 1, phase: Phase::Train, iteration: 2, state: 3 };
        env.reset(&mut start.resets(), &mut obs);
        let draws = !env.frame().shapes.is_empty();
        let make = registered(entry.id).unwrap();
        let side = |first: usize, steps: usize| ReplayKey { start, first, actions: vec![0.5; steps * dim] };
        for sides in [[side(0, 1), side(0, 1)], [side(3, 6), side(usize::MAX, 4)], [side(0, 9), side(0, 4)]] {
            let picture = Picture::new(&sides, &make);
            // Options are whole numbers, and their episode has one step.
            if !draws {
                assert!(picture.is_err(), "{}", entry.id);
                continue;
            }
            let picture = serde_json::to_value(picture.unwrap()).unwrap();
            for side in picture["sides"].as_array().unwrap() {
                let frames = side["frames"].as_u64().unwrap() as usize;
                assert!(frames >= 1 && !side["actors"].as_array().unwrap().is_empty(), "{}", entry.id);
                for actor in side["actors"].as_array().unwrap() {
                    let shapes = actor["shapes"].as_array().unwrap().len();
                    assert!(shapes == 1 || shapes == frames, "{}: {shapes} of {frames}", entry.id);
                }
            }
        }
    }
}
