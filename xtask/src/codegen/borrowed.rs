//! The borrowed form of a message: slices of the frame, arrays in an arena.
//!
//! For the Produce and Fetch paths, where a request may not allocate. Shares the rules of the owned
//! form; what those two messages do not need (unknown tags kept, nullable structs) is refused here.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use ottla_schema::{Message, Struct, Type, Versions};

use super::field::{self, Nullable, Plan, condition, flexible, flexible_let, method, min_size};
use super::names;

/// The submodule `borrowed` of one message.
pub(super) fn module(message: &Message) -> Result<String> {
    let top = Struct {
        name: message.name.clone(),
        fields: message.fields.clone(),
    };
    let mut body = structure(message, &top, true)?;
    for one in &message.structs {
        body.push_str(&structure(message, one, false)?);
    }
    let mut uses = String::from("use bumpalo::Bump;\n");
    if body.contains("Uuid") {
        uses.push_str("use ottla_base::Uuid;\n");
    }
    if body.contains("RecordsPayload") {
        uses.push_str("use crate::payload::RecordsPayload;\n");
    }
    uses.push_str(
        "use crate::reader::{DecodeError, Reader};\nuse crate::writer::{EncodeError, Writer};\n",
    );
    Ok(format!(
        "\n/// [`{}`] in place: strings and bytes of the frame, arrays in an arena.\npub mod borrowed {{\n{uses}{body}\n}}\n",
        names::type_name(&message.name)
    ))
}

fn type_name(name: &str) -> String {
    format!("{}Ref", names::type_name(name))
}

/// Whether a type borrows from the frame or the arena.
fn borrows(message: &Message, ty: &Type) -> bool {
    match ty {
        Type::String | Type::Bytes | Type::Records | Type::Array(_) => true,
        Type::Struct(name) => message
            .find_struct(name)
            .is_some_and(|one| one.fields.iter().any(|field| borrows(message, &field.ty))),
        _ => false,
    }
}

/// Records that are sent may lie in a file.
fn is_payload(message: &Message, ty: &Type) -> bool {
    *ty == Type::Records && message.name == "FetchResponse"
}

fn rust_type(message: &Message, ty: &Type) -> String {
    match ty {
        Type::String => "&'a str".to_owned(),
        Type::Records if is_payload(message, ty) => "RecordsPayload<'a>".to_owned(),
        Type::Bytes | Type::Records => "&'a [u8]".to_owned(),
        Type::Uuid => "Uuid".to_owned(),
        Type::Struct(name) if borrows(message, ty) => format!("{}<'a>", type_name(name)),
        Type::Struct(name) => type_name(name),
        Type::Array(element) => format!("&'a [{}]", rust_type(message, element)),
        fixed => method(fixed).unwrap_or_default().to_owned(),
    }
}

fn structure(message: &Message, one: &Struct, top: bool) -> Result<String> {
    let mut plans = Vec::new();
    for field in &one.fields {
        plans.extend(Plan::new(message, field)?);
    }
    let name = type_name(&one.name);
    let lifetime = if one.fields.iter().any(|field| borrows(message, &field.ty)) {
        "<'a>"
    } else {
        ""
    };
    let anonymous = if lifetime.is_empty() { "" } else { "<'_>" };
    let mut out = String::new();
    let owned = names::type_name(&one.name);
    let _ = writeln!(
        out,
        "\n/// [`{owned}`](super::{owned}) in place.\n#[derive(Debug, Clone, Copy, PartialEq)]\npub struct {name}{lifetime} {{"
    );
    for plan in &plans {
        let ty = rust_type(message, &plan.field.ty);
        let wrap = plan.optional && !is_payload(message, &plan.field.ty);
        let ty = if wrap { format!("Option<{ty}>") } else { ty };
        let _ = writeln!(
            out,
            "{}pub {}: {ty},",
            field::doc(plan),
            names::field(&plan.field.name)
        );
    }
    let _ = writeln!(
        out,
        "}}\n\nimpl Default for {name}{anonymous} {{\nfn default() -> Self {{\nSelf {{"
    );
    for plan in &plans {
        let value = default_value(message, plan)?;
        let _ = writeln!(out, "{}: {value},", names::field(&plan.field.name));
    }
    let implement = if lifetime.is_empty() {
        "impl"
    } else {
        "impl<'a>"
    };
    let _ = writeln!(out, "}}\n}}\n}}\n\n{implement} {name}{lifetime} {{");
    decode(message, &plans, top, !lifetime.is_empty(), &mut out)?;
    encode(message, &plans, top, &mut out)?;
    out.push_str("}\n");
    Ok(out)
}

fn default_value(message: &Message, plan: &Plan<'_>) -> Result<String> {
    let default = plan.field.default.as_deref().unwrap_or_default();
    if is_payload(message, &plan.field.ty) {
        return Ok("RecordsPayload::Null".to_owned());
    }
    if plan.null_by_default() {
        return Ok("None".to_owned());
    }
    let value = match &plan.field.ty {
        Type::String => format!("{default:?}"),
        Type::Bytes | Type::Records | Type::Array(_) => "&[]".to_owned(),
        Type::Uuid => "Uuid::ZERO".to_owned(),
        Type::Struct(name) => format!("{}::default()", type_name(name)),
        _ => plan.number(),
    };
    Ok(if plan.optional {
        format!("Some({value})")
    } else {
        value
    })
}

/// The condition under which a field does not have its default.
fn is_set(message: &Message, plan: &Plan<'_>) -> Result<String> {
    let this = format!("self.{}", names::field(&plan.field.name));
    let default = default_value(message, plan)?;
    Ok(match &plan.field.ty {
        Type::Array(_) | Type::Bytes | Type::Records | Type::String if !plan.optional => {
            format!("!{this}.is_empty()")
        }
        Type::Bool => {
            if default == "true" {
                format!("!{this}")
            } else {
                this
            }
        }
        _ if default == "None" => format!("{this}.is_some()"),
        _ if default == "Some(&[])" => format!("{this}.is_none_or(|value| !value.is_empty())"),
        _ => format!("{this} != {default}"),
    })
}

fn element_reader(message: &Message, element: &Type) -> Result<String> {
    Ok(match element {
        Type::Struct(name) => format!("{}::decode_in", type_name(name)),
        fixed => match method(fixed) {
            Some(method) => format!("|r, _, _| r.{method}()"),
            None => bail!("{}: no such array in place", message.name),
        },
    })
}

fn read_value(message: &Message, plan: &Plan<'_>, range: Versions, r: &str) -> Result<String> {
    let flexible = plan.flexible;
    let nullable = match plan.nullable_in(range) {
        Nullable::Always => true,
        Nullable::Never if plan.optional => bail!("{}: sometimes null", plan.field.name),
        Nullable::Never => false,
        Nullable::When { .. } => bail!("{}: sometimes null", plan.field.name),
    };
    let prefix = if nullable { "nullable_" } else { "" };
    Ok(match &plan.field.ty {
        Type::String => format!("{r}.{prefix}str({flexible})?"),
        Type::Records if is_payload(message, &plan.field.ty) => format!(
            "{r}.nullable_slice({flexible})?.map_or(RecordsPayload::Null, RecordsPayload::Inline)"
        ),
        Type::Bytes | Type::Records => format!("{r}.{prefix}slice({flexible})?"),
        Type::Struct(name) if !nullable => {
            let reader = if r == "r" { "r" } else { "&mut field" };
            format!("{}::decode_in({reader}, arena, version)?", type_name(name))
        }
        Type::Array(element) => {
            let read = if nullable { "nullable_in" } else { "array_in" };
            let (min, element) = (
                min_size(message, element),
                element_reader(message, element)?,
            );
            format!("{r}.{read}(arena, {flexible}, {min}, version, {element})?")
        }
        fixed if !nullable => format!("{r}.{}()?", method(fixed).unwrap_or_default()),
        _ => bail!("{}: may not be null", plan.field.name),
    })
}

fn decode(
    message: &Message,
    plans: &[Plan<'_>],
    top: bool,
    borrows: bool,
    out: &mut String,
) -> Result<()> {
    let mut body = String::new();
    for plan in plans.iter().filter(|plan| !plan.inline.is_empty()) {
        let name = names::field(&plan.field.name);
        let value = read_value(message, plan, plan.inline, "r")?;
        match condition(plan.inline, plan.all) {
            None => body.push_str(&format!("out.{name} = {value};\n")),
            Some(condition) => {
                body.push_str(&format!("if {condition} {{\nout.{name} = {value};\n}}\n"));
            }
        }
    }
    let mut arms = String::new();
    for plan in plans {
        let Some((tag, range)) = plan.tagged else {
            continue;
        };
        let guard = condition(range, message.versions.intersect(message.flexible));
        let guard = guard
            .map(|guard| format!(" if {guard}"))
            .unwrap_or_default();
        let value = read_value(message, plan, range, "field")?;
        let _ = writeln!(
            arms,
            "{tag}{guard} => {{ out.{} = {value}; }}",
            names::field(&plan.field.name)
        );
    }
    let _ = writeln!(body, "let mut tags = r.tag_count({})?;", flexible(message));
    if arms.is_empty() {
        body.push_str("while r.next_tag(&mut tags)?.is_some() {}\n");
    } else {
        let _ = writeln!(
            body,
            "while let Some((tag, mut field)) = r.next_tag(&mut tags)? {{\nmatch tag {{\n{arms}_ => {{}}\n}}\nr.close_tag(&field);\n}}"
        );
    }
    let body = format!("{}{body}", flexible_let(message, &body));
    let arena = if body.contains("arena") { "" } else { "_" };
    let lifetime = if borrows { "'a" } else { "'_" };
    let name = if top { "pub fn decode" } else { "fn decode_in" };
    if top {
        out.push_str("/// Reads the message; arrays go to `arena`.\n///\n/// # Errors\n/// If the bytes are no such message, or the version is not known.\n");
    }
    let version = if top || names::has_word(&body, "version") {
        ""
    } else {
        "_"
    };
    let _ = writeln!(
        out,
        "{name}(r: &mut Reader<{lifetime}>, {arena}arena: &{}Bump, {version}version: i16) -> Result<Self, DecodeError> {{",
        if borrows { "'a " } else { "" }
    );
    if top {
        out.push_str("if !super::NAME::VERSIONS.contains(&version) {\nreturn Err(DecodeError::UnsupportedVersion(version));\n}\n".replace("NAME", &names::type_name(&message.name)).as_str());
    }
    let _ = writeln!(out, "let mut out = Self::default();\n{body}Ok(out)\n}}\n");
    Ok(())
}

fn write_value(message: &Message, plan: &Plan<'_>) -> Result<String> {
    let this = format!("self.{}", names::field(&plan.field.name));
    let flexible = plan.flexible;
    let prefix = if plan.optional { "nullable_" } else { "" };
    Ok(match &plan.field.ty {
        Type::String => format!("w.{prefix}str({this}, {flexible})?;"),
        Type::Records if is_payload(message, &plan.field.ty) => {
            format!("{this}.encode(w, {flexible})?;")
        }
        Type::Bytes | Type::Records => format!("w.{prefix}bytes({this}, {flexible})?;"),
        Type::Struct(_) => format!("{this}.encode_in(w, version)?;"),
        Type::Array(element) => match &**element {
            Type::Struct(name) => format!(
                "w.{prefix}structs({this}, {flexible}, version, {}::encode_in)?;",
                type_name(name)
            ),
            fixed => {
                let method = method(fixed).unwrap_or_default();
                format!("w.{prefix}array({this}, {flexible}, Writer::{method})?;")
            }
        },
        fixed => format!("w.{}({this});", method(fixed).unwrap_or_default()),
    })
}

fn encode(message: &Message, plans: &[Plan<'_>], top: bool, out: &mut String) -> Result<()> {
    let mut body = String::new();
    for plan in plans {
        if !plan.inline.is_empty() {
            let value = write_value(message, plan)?;
            match condition(plan.inline, plan.all) {
                None => body.push_str(&format!("{value}\n")),
                Some(condition) => body.push_str(&format!("if {condition} {{\n{value}\n}}\n")),
            }
        }
        if !plan.field.ignorable
            && let Some(outside) = field::outside(plan.versions(), plan.all)
        {
            let set = is_set(message, plan)?;
            let _ = writeln!(
                body,
                "if {outside} && {set} {{\nreturn Err(EncodeError::FieldNotInVersion {{ field: {:?}, version }});\n}}",
                plan.field.name
            );
        }
    }
    let mut tagged: Vec<_> = plans
        .iter()
        .filter_map(|plan| plan.tagged.map(|(tag, range)| (tag, range, plan)))
        .collect();
    tagged.sort_by_key(|(tag, ..)| *tag);
    let mut text = String::new();
    if tagged.is_empty() {
        text.push_str("w.uvarint(0);\n");
    } else {
        let mut count = String::new();
        let mut values = String::new();
        for (tag, range, plan) in &tagged {
            let set = is_set(message, plan)?;
            let when = condition(*range, message.versions.intersect(message.flexible));
            let present = when.map_or_else(|| set.clone(), |when| format!("{when} && {set}"));
            let _ = writeln!(count, "tags += u32::from({present});");
            let value = write_value(message, plan)?;
            let _ = writeln!(
                values,
                "if {present} {{\nlet begun = w.begin_tag({tag});\n{value}\nw.end_tag(begun)?;\n}}"
            );
        }
        let _ = write!(
            text,
            "let mut tags: u32 = 0;\n{count}w.uvarint(tags);\n{values}"
        );
    }
    let _ = writeln!(body, "if {} {{\n{text}}}", flexible(message));
    let body = format!("{}{body}", flexible_let(message, &body));
    let version = if top || names::has_word(&body, "version") {
        ""
    } else {
        "_"
    };
    if top {
        out.push_str("/// Writes the message.\n///\n/// # Errors\n/// If a value does not exist in the version, or the version is not known.\n");
    }
    let name = if top { "pub fn encode" } else { "fn encode_in" };
    let _ = writeln!(
        out,
        "{name}(&self, w: &mut Writer, {version}version: i16) -> Result<(), EncodeError> {{"
    );
    if top {
        out.push_str("if !super::NAME::VERSIONS.contains(&version) {\nreturn Err(EncodeError::UnsupportedVersion(version));\n}\n".replace("NAME", &names::type_name(&message.name)).as_str());
    }
    let _ = writeln!(out, "{body}Ok(())\n}}");
    Ok(())
}
