//! What the options of the console tools have in common.

use ottla_client::Properties;

use crate::common::client::properties_file;
use crate::common::java;
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

/// The group that `--group` and the properties name; `file_option` is the option that names a file in
/// Kafka's words about groups that differ.
///
/// # Errors
/// If they name different ones.
pub(crate) fn one_group(
    options: &Options,
    of_pairs: &Properties,
    of_files: &Properties,
    file_option: &str,
) -> Result<Option<String>, Failure> {
    let given = options.value("group")?;
    let of_properties = [of_files, of_pairs]
        .into_iter()
        .filter_map(|properties| properties.get("group.id").map(String::as_str));
    let mut groups: Vec<&str> = Vec::new();
    for group in given.into_iter().chain(of_properties) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    if groups.len() > 1 {
        java::name_order(&mut groups, |group| group);
        let groups: Vec<_> = groups.iter().map(|group| format!("'{group}'")).collect();
        return Err(Failure::Usage(format!(
            "The group ids provided in different places (directly using '--group', via \
             '--consumer-property', or via '{file_option}') do not match. Detected group ids: {}",
            groups.join(", ")
        )));
    }
    Ok(groups.first().map(|group| (*group).to_owned()))
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
