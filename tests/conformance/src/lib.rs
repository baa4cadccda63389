//! Holds Ottla against Apache Kafka: the same requests to both, every field of every answer compared.
//!
//! A scenario (`scenarios/*.scenario`, read by [`scenario`]) is a list of requests by API and version, with
//! bodies as JSON. [`play`] sends them to a server and gives the answers with what differs from run to run
//! masked ([`mask`]). What Apache Kafka answered is committed under `golden/`, so that the comparison also
//! runs where there is no Java; `ottla-conformance record ADDRESS` writes it anew. What differs on purpose
//! stands in `differences.tsv`, with the reason ([`compare`]). [`table`] adds up what was covered and how it came out.

pub mod batch;
pub mod client;
pub mod compare;
pub mod mask;
pub mod play;
pub mod scenario;
pub mod table;
