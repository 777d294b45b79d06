//! The page where people compare: pairs from the run's [`store`](spo::oracle::human::store), and answers into it.
//!
//! - [`picture`](super::picture): a pair as two replays of one scale, for the page to draw.
//! - [`server`]: the [page](crate::web) over HTTP; [`access`] says who may speak to it.

mod api;
pub mod server;

pub use crate::web::access;
pub use server::Server;
