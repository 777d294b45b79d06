//! The pages where people compare (`label`) and where runs are watched (`watch`): over HTTP without a browser, and in a
//! real one (`chromium`).

mod chromium;
mod http;
mod label;
mod process;
mod watch;
