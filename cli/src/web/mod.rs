//! The two web pages: [`label`], where people compare trajectories, and [`watch`],
//! which shows runs live.
//!
//! They share:
//! - [`server`]: serves files and an API over HTTP/1.1, with limits on size and time; [`access`] checks each request.
//! - [`error`]: the error type of the APIs.
//! - [`picture`]: trajectories as replays with a common scale. `files/player.js` draws them from lines and circles.
//!
//! A page loads nothing from other sites, so it works offline.

pub mod access;
pub mod error;
pub mod label;
pub mod picture;
pub mod server;
pub mod watch;
