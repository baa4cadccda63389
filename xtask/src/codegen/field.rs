//! What both forms of a message have in common: conditions on versions, sizes, defaults.

use anyhow::{Result, bail};
use ottla_schema::{Field, Message, Type, Versions};

/// The Rust condition under which `version`, known to be one of `all`, is in `range`; `None` if always.
pub(super) fn condition(range: Versions, all: Versions) -> Option<String> {
    let range = range.intersect(all);
    match (range.low > all.low, range.high < all.high) {
        _ if range.is_empty() => Some("false".to_owned()),
        (false, false) => None,
        (true, false) => Some(format!("version >= {}", range.low)),
        (false, true) => Some(format!("version <= {}", range.high)),
        (true, true) if range.low == range.high => Some(format!("version == {}", range.low)),
        (true, true) => Some(format!(
            "({}..={}).contains(&version)",
            range.low, range.high
        )),
    }
}

/// The Rust condition under which `version`, known to be one of `all`, is not in `range`; `None` if never.
pub(super) fn outside(range: Versions, all: Versions) -> Option<String> {
    let range = range.intersect(all);
    match (range.low > all.low, range.high < all.high) {
        _ if range.is_empty() => Some("true".to_owned()),
        (false, false) => None,
        (true, false) => Some(format!("version < {}", range.low)),
        (false, true) => Some(format!("version > {}", range.high)),
        (true, true) if range.low == range.high => Some(format!("version != {}", range.low)),
        (true, true) => Some(format!(
            "!({}..={}).contains(&version)",
            range.low, range.high
        )),
    }
}

/// A field as far as the message's versions reach.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) field: &'a Field,
    /// Versions of the message.
    pub(super) all: Versions,
    /// Versions in which it stands in line.
    pub(super) inline: Versions,
    /// Versions in which it is tagged, and its number.
    pub(super) tagged: Option<(u32, Versions)>,
    /// Whether the Rust type is an `Option`.
    pub(super) optional: bool,
    /// The Rust expression for whether lengths are compact.
    pub(super) flexible: &'static str,
}

impl<'a> Plan<'a> {
    /// `None` for a field of versions that no longer exist.
    pub(super) fn new(message: &Message, field: &'a Field) -> Result<Option<Self>> {
        let all = message.versions;
        let versions = field.versions.intersect(all);
        if versions.is_empty() {
            return Ok(None);
        }
        let mut inline = versions;
        let tagged = field
            .tag
            .map(|(tag, range)| (tag, range.intersect(versions)));
        if let Some((_, range)) = tagged {
            if range.high != versions.high {
                bail!(
                    "{}.{}: tagged only in middle versions",
                    message.name,
                    field.name
                );
            }
            inline.high = range.low - 1;
        }
        let flexible = match () {
            () if field.never_flexible => "false",
            () => flexible(message),
        };
        let optional = !field.nullable.intersect(versions).is_empty();
        Ok(Some(Self {
            field,
            all,
            inline,
            tagged,
            optional,
            flexible,
        }))
    }

    pub(super) fn versions(&self) -> Versions {
        self.field.versions.intersect(self.all)
    }

    /// Whether a null may stand in every, in some or in no version of `range`.
    pub(super) fn nullable_in(&self, range: Versions) -> Nullable {
        let nullable = self.field.nullable.intersect(range);
        match nullable {
            none if none.is_empty() => Nullable::Never,
            whole if whole.covers(range) => Nullable::Always,
            part => Nullable::When {
                inside: condition(part, self.all).unwrap_or_default(),
                outside: outside(part, self.all).unwrap_or_default(),
            },
        }
    }

    /// Whether the default is null.
    pub(super) fn null_by_default(&self) -> bool {
        let default = self.field.default.as_deref();
        self.optional
            && (default == Some("null") || (self.field.ty == Type::Records && default.is_none()))
    }

    /// The default of a number or boolean, as Rust.
    pub(super) fn number(&self) -> String {
        let default = self.field.default.as_deref();
        match self.field.ty {
            Type::Bool => default.unwrap_or("false").to_owned(),
            Type::F64 => default.map_or_else(|| "0.0".to_owned(), |text| format!("{text}_f64")),
            _ => default.unwrap_or("0").to_owned(),
        }
    }
}

/// Where a null may stand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Nullable {
    Never,
    Always,
    /// In some versions: the conditions for being one of them, and for not being one.
    When {
        inside: String,
        outside: String,
    },
}

/// The Rust expression for whether a version is flexible.
pub(super) fn flexible(message: &Message) -> &'static str {
    let flexible = message.flexible.intersect(message.versions);
    if flexible.is_empty() {
        "false"
    } else if flexible.covers(message.versions) {
        "true"
    } else {
        "flexible"
    }
}

/// `let flexible = ...;` where it depends on the version.
pub(super) fn flexible_let(message: &Message, body: &str) -> String {
    let flexible = message.flexible.intersect(message.versions);
    match condition(flexible, message.versions) {
        Some(condition) if body.contains("flexible") => format!("let flexible = {condition};\n"),
        _ => String::new(),
    }
}

/// Fewest bytes that a value of this type takes in any version.
pub(super) fn min_size(message: &Message, ty: &Type) -> usize {
    match ty {
        Type::Bool | Type::I8 => 1,
        Type::I16 | Type::U16 => 2,
        Type::I32 | Type::U32 => 4,
        Type::I64 | Type::F64 => 8,
        Type::Uuid => 16,
        // A compact length of one byte.
        Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
        Type::Struct(name) => {
            let fields = message.find_struct(name).map(|one| one.fields.as_slice());
            let always = |field: &&Field| {
                let tagged = field.tag.map_or(Versions::NONE, |(_, range)| range);
                field.versions.covers(message.versions)
                    && tagged.intersect(message.versions).is_empty()
                    && (!matches!(field.ty, Type::Struct(_)) || field.nullable.is_empty())
            };
            let sizes = fields.unwrap_or_default().iter().filter(always);
            sizes
                .map(|field| min_size(message, &field.ty))
                .sum::<usize>()
                .max(1)
        }
    }
}

/// The name of the method of Reader and Writer for a fixed-size type.
pub(super) fn method(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Bool => "bool",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::U16 => "u16",
        Type::I32 => "i32",
        Type::U32 => "u32",
        Type::I64 => "i64",
        Type::F64 => "f64",
        Type::Uuid => "uuid",
        _ => return None,
    })
}

/// A sentence about a field for its documentation.
pub(super) fn doc(plan: &Plan<'_>) -> String {
    let mut words = Vec::new();
    let versions = plan.versions();
    if versions != plan.all {
        let shown = if versions.high == plan.all.high {
            format!("{}+", versions.low)
        } else {
            versions.to_string()
        };
        words.push(format!("versions {shown}"));
    }
    if let Some((tag, _)) = plan.tagged {
        words.push(format!("tag {tag}"));
    }
    if let Some(default) = &plan.field.default {
        words.push(format!(
            "default `{}`",
            if default.is_empty() { "\"\"" } else { default }
        ));
    }
    if let Some(entity) = &plan.field.entity {
        words.push(format!("a {entity}"));
    }
    if words.is_empty() {
        return format!("/// `{}`.\n", plan.field.name);
    }
    format!("/// `{}`: {}.\n", plan.field.name, words.join(", "))
}
