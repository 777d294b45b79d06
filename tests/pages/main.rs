//! The pages where people compare (`label`) and where runs are watched (`watch`): over HTTP without a browser, and in a
//! real one (`chromium`).
#![cfg(unix)]

mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod http;
mod label;
mod process;
mod watch;
