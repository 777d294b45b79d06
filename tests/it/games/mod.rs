//! Preference games: solved exactly, and played by the network.

mod exact;
mod neural;
