//! The codec from outside: every message and version with random values, against its own schema, against
//! itself, and against another codec.

mod borrowed;
mod cross_check;
mod random;
mod registry;
mod round_trip;
