//! What the pages in a browser share: people compare at one ([`label`](crate::web::label)), a run is seen at the other
//! ([`watch`](crate::web::watch)).
//!
//! - [`server`]: files and answers over HTTP/1.1, bounded in size and time; [`access`] says who may speak to it.
//! - [`picture`]: trajectories as replays of one scale, drawn from lines and circles by `files/player.js`.
//!
//! A page holds no address of another site, and works offline.

pub mod access;
pub mod label;
pub mod picture;
pub mod server;
pub mod watch;
