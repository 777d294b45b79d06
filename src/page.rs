//! What a page in a browser is made of; people compare at one ([`label`](crate::label)).
//!
//! - [`server`]: files and answers over HTTP/1.1, bounded in size and time; [`access`] says who may speak to it.
//! - [`picture`]: trajectories as replays of one scale, drawn from lines and circles by `files/player.js`.
//!
//! A page holds no address of another site, and works offline.

pub mod access;
pub mod picture;
pub mod server;
