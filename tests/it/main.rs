//! Tests of the library, one module a concern: `cargo test -p spo --test it self_play`.

mod devices;
mod early_end;
mod games;
mod imports;
mod learning;
mod oracles;
mod reward_model;
mod self_play;
