//! `docs/reference/configs.md`, written from the rows.

use std::fmt::Write as _;

use ottla_base::{ConfigRow, DefaultValue, Dynamic, Importance, Scope, Status, Valid};

use crate::rows::client_metrics::CLIENT_METRICS_ROWS;
use crate::rows::group_config::GROUP_CONFIG_ROWS;
use crate::rows::{BROKER_TABLES, topic::TOPIC_ROWS};

/// The reference page of all public keys, in Markdown.
#[must_use]
pub fn reference_page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         This page is generated from the configuration rows in `core/config/src/rows`; a test fails when \
         it is stale (`UPDATE=1` rewrites it).\n\n\
         **Status** says what Ottla does with a key: *served* means that it does what Apache Kafka's \
         does; *accepted* means that its value is checked and shown, and has no effect yet; *refused* \
         means that only the default is taken, because ignoring another value would break a promise.\n\n\
         **Change** says how a value can be changed: *restart*; *broker* at run time for one broker; \
         *cluster* at run time for one broker or for all; topic keys always at run time.\n\n\
         A value is resolved in this order: topic, broker at run time, all brokers at run time, \
         `server.properties`, default.\n\n",
    );
    let all: Vec<&ConfigRow> = BROKER_TABLES
        .iter()
        .flat_map(|(_, rows)| *rows)
        .filter(|row| !row.internal)
        .collect();
    counts(&mut page, "broker", &all);
    let topic: Vec<&ConfigRow> = TOPIC_ROWS.iter().filter(|row| !row.internal).collect();
    counts(&mut page, "topic", &topic);
    counts(
        &mut page,
        "group",
        &GROUP_CONFIG_ROWS.iter().collect::<Vec<_>>(),
    );
    let metrics: Vec<&ConfigRow> = CLIENT_METRICS_ROWS.iter().collect();
    counts(&mut page, "client metrics", &metrics);
    page.push_str("\n## Topic keys\n\n");
    table(&mut page, TOPIC_ROWS);
    page.push_str("\n## Group keys\n\n");
    table(&mut page, GROUP_CONFIG_ROWS);
    page.push_str("\n## Keys of subscriptions to client metrics\n\n");
    table(&mut page, CLIENT_METRICS_ROWS);
    page.push_str("\n## Broker keys\n");
    for (title, rows) in BROKER_TABLES {
        let _ = write!(page, "\n### {title}\n\n");
        table(&mut page, rows);
    }
    page
}

fn counts(page: &mut String, what: &str, rows: &[&ConfigRow]) {
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    let _ = writeln!(
        page,
        "- {} {what} keys: {} served, {} accepted, {} refused.",
        rows.len(),
        count(Status::Served),
        count(Status::Accepted),
        count(Status::Refused)
    );
}

fn table(page: &mut String, rows: &[ConfigRow]) {
    page.push_str(
        "| Key | Meaning | Type | Default | Valid values | Importance | Change | Status |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in rows.iter().filter(|row| !row.internal) {
        let mut meaning = row.summary().replace('|', "\\|");
        if row.scope != Scope::Broker && !row.synonyms.is_empty() {
            let names: Vec<String> = row.synonyms.iter().map(|n| format!("`{n}`")).collect();
            let _ = write!(meaning, " Broker key: {}.", names.join(", "));
        }
        let _ = writeln!(
            page,
            "| `{}` | {meaning} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.kind.name().to_lowercase(),
            default(row),
            valid(row),
            match row.importance {
                Importance::High => "high",
                Importance::Medium => "medium",
                Importance::Low => "low",
            },
            match row.dynamic {
                Dynamic::ReadOnly => "restart",
                Dynamic::PerBroker => "broker",
                Dynamic::ClusterWide => match row.scope {
                    Scope::Broker => "cluster",
                    Scope::Topic => "topic",
                    Scope::Group => "group",
                    Scope::ClientMetrics => "subscription",
                },
            },
            match row.status {
                Status::Served => "served",
                Status::Accepted => "accepted",
                Status::Refused => "refused",
            },
        );
    }
}

fn default(row: &ConfigRow) -> String {
    match row.default {
        DefaultValue::Required => "(must be set)".to_owned(),
        DefaultValue::Null => "null".to_owned(),
        DefaultValue::Text("") => "(empty)".to_owned(),
        DefaultValue::Text(text) => format!("`{text}`"),
    }
}

fn valid(row: &ConfigRow) -> String {
    let listed = |of: &[&str]| {
        of.iter()
            .map(|v| format!("`{v}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match row.valid {
        Valid::Any => String::new(),
        Valid::AtLeast(low) => format!("at least {low}"),
        Valid::Between(low, high) => format!("{low} to {high}"),
        Valid::BetweenDouble(low, high) => format!("{low} to {high}"),
        Valid::GzipLevel => "1 to 9, or -1".to_owned(),
        Valid::OneOf(of) => listed(of),
        Valid::OneOfAnyCase(of) => format!("{} in any case", listed(of)),
        Valid::NonEmpty => "not empty".to_owned(),
        Valid::List {
            empty: true,
            of: [],
        } => String::new(),
        Valid::List {
            empty: false,
            of: [],
        } => "not empty".to_owned(),
        Valid::List { empty: true, of } => format!("any of {}", listed(of)),
        Valid::List { empty: false, of } => format!("at least one of {}", listed(of)),
        Valid::HostPorts => "`host:port`, ...".to_owned(),
        Valid::Voters => "`id@host:port`, ...".to_owned(),
        Valid::ThrottledReplicas => "`partition:broker`, ..., or `*`".to_owned(),
    }
}
