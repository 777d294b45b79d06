//! A language model as judge (RLAIF: Lee et al. 2023, "RLAIF vs. RLHF: Scaling Reinforcement Learning from Human
//! Feedback with AI Feedback"): `llm(base_url=URL,model=NAME)`.
//!
//! A template describes trajectories in words and numbers. The model, behind an OpenAI-compatible interface, is asked
//! which of two is better, in both orders. The mean of its probabilities of "1" and "2" is the soft label, so that a
//! preference for the first or second place cancels out. It can also rate one trajectory from 1 to 10, for the scorer
//! [`llm_direct`](crate::scorer::llm_direct). `docs/llm.md` is the manual.
//!
//! The files: `options`, the options in an oracle's text; `template` and `summary`, how a trajectory is described;
//! `prompt`, what is asked; `api`, how it is sent; `answer`, what a reply means; `client`, `pace`, `key` and `cache`, how
//! to get a reply.

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
