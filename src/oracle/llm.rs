//! A language model as judge (RLAIF: Lee et al. 2023, "RLAIF vs. RLHF: Scaling Reinforcement Learning from Human
//! Feedback with AI Feedback"): `llm(base_url=URL,model=NAME)`.
//!
//! Trajectories are described in words and numbers by a template; the model, behind an OpenAI-compatible
//! interface, is asked which of two is better, in both orders, and the mean of its probabilities of "1" and "2" is the
//! soft label: what it makes of a place cancels out. It can also rate one trajectory from 1 to 10, for the scorer
//! [`llm_direct`](crate::scorer::llm_direct). `docs/llm.md` is the manual.
//!
//! In these files: `options`, what the text of an oracle says; `template` and `summary`, how a trajectory is described;
//! `prompt`, what is asked; `api`, how that is sent; `answer`, what a reply means; `client`, `pace`, `key` and
//! `cache`, how a reply is had.

mod options;

pub use options::{Api, FORM, Keep, Options};
pub(super) use options::{behind_name, with};

mod answer;
mod api;
mod cache;
mod client;
mod judge;
mod key;
mod pace;
mod prompt;
mod summary;
mod template;
#[cfg(test)]
mod tests;

pub use judge::Llm;
