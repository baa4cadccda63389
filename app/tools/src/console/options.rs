//! What the options of the console tools have in common.

use ottla_client::Properties;

use crate::common::client::properties_file;
use crate::common::jopt::Options;
use crate::common::output;
use crate::common::usage::Failure;

/// `key=value` options. One without a value is an empty property, as in Kafka's tools.
pub(crate) fn key_values(args: &[String]) -> Properties {
    args.iter()
        .map(|arg| {
            let (key, value) = arg.split_once('=').unwrap_or((arg, ""));
            (key.to_owned(), value.to_owned())
        })
        .collect()
}

/// Properties of the file that one of the options `files` names, with those of the options `pairs` over
/// them.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn file_and_pairs(
    options: &Options,
    files: &[&str],
    pairs: &[&str],
) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for name in files {
        if let Some(path) = options.value(name)? {
            properties.extend(properties_file(path)?);
        }
    }
    for name in pairs {
        properties.extend(key_values(options.values(name)));
    }
    Ok(properties)
}

/// Refuses a deprecated option together with the one that replaces it, and warns of it.
///
/// # Errors
/// If both are given.
pub(crate) fn deprecated_pair(
    options: &Options,
    name: &str,
    replacement: &str,
    warning: &str,
) -> Result<(), Failure> {
    if !options.has(name) {
        return Ok(());
    }
    if options.has(replacement) {
        let (one, other) = match name {
            "producer.config" => (replacement, name),
            _ if replacement == "command-property" && name == "producer-property" => {
                (replacement, name)
            }
            _ if name == "property" && replacement == "reader-property" => (replacement, name),
            _ => (name, replacement),
        };
        return Err(Failure::Usage(format!(
            "Options --{one} and --{other} cannot be specified together."
        )));
    }
    output::line(warning);
    Ok(())
}

/// Sets a property to what an option gives; to the default if neither option nor property is there.
pub(crate) fn set(properties: &mut Properties, key: &str, default: &str, given: Option<&str>) {
    match given {
        Some(value) => {
            properties.insert(key.to_owned(), value.to_owned());
        }
        None => {
            properties
                .entry(key.to_owned())
                .or_insert_with(|| default.to_owned());
        }
    }
}
