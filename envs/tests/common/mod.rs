//! Checks whether the MuJoCo tasks can be tested here.

use spo_envs::EnvError;
use spo_envs::make;

/// Whether `id` can be made. If MuJoCo is missing, prints that to stderr; with `SPO_REQUIRE_MUJOCO=1` the test fails.
pub fn available(id: &str) -> bool {
    match make(id) {
        Ok(_) => true,
        Err(e @ EnvError::Mujoco { .. }) => {
            assert!(std::env::var_os("SPO_REQUIRE_MUJOCO").is_none(), "SPO_REQUIRE_MUJOCO is set, but {e}");
            static ONCE: std::sync::Once = std::sync::Once::new();
            ONCE.call_once(|| eprintln!("SKIPPED the tasks of MuJoCo; {e}"));
            false
        }
        Err(e) => panic!("{e}"),
    }
}
