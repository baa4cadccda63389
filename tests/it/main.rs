//! The whole program from outside.

mod clients;
mod crash;
mod files;
mod handover;
mod readme;
mod returned;
mod rewritten;
