//! Whether the tasks of MuJoCo can be tested here.

use spo_envs::EnvError;
use spo_envs::make;

/// Whether `id` can be made; says so on stderr where MuJoCo is missing. `SPO_REQUIRE_MUJOCO=1` makes that a failure.
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
