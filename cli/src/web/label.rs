//! The page where people compare trajectories. It reads pairs from the run's [`store`](spo::oracle::human::store) and
//! writes answers into it.
//!
//! - [`picture`](super::picture): a pair as two replays with a common scale, for the page to draw.
//! - [`server`]: serves the [page](crate::web) over HTTP; [`access`] checks each request.

mod api;
pub mod server;

pub use crate::web::access;
pub use server::Server;
