//! Values on their way to and from either database.

use gametimes_format::TeamNumber;
use serde_json::Value as Json;

/// A value of a column. `None` is NULL; its variant tells the type, which PostgreSQL wants to know.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer column.
    Int(Option<i64>),
    /// Any floating-point column.
    Real(Option<f64>),
    /// Any text column.
    Text(Option<String>),
    /// JSONB in PostgreSQL, text in SQLite.
    Json(Json),
    /// BOOLEAN in PostgreSQL, 0 or 1 in SQLite.
    Bool(bool),
    /// BYTEA or BLOB.
    Bytes(Option<Vec<u8>>),
    /// A point in time, given as unix seconds: TIMESTAMPTZ in PostgreSQL, text in SQLite.
    Time(i64),
}

macro_rules! from {
    ($($type:ty => |$v:ident| $value:expr),* $(,)?) => {
        $(impl From<$type> for Value { fn from($v: $type) -> Self { $value } })*
    };
}

from! {
    i64 => |v| Self::Int(Some(v)),
    i32 => |v| Self::Int(Some(v.into())),
    u32 => |v| Self::Int(Some(v.into())),
    u8 => |v| Self::Int(Some(v.into())),
    TeamNumber => |v| Self::Int(Some(v.into())),
    usize => |v| Self::Int(Some(v as i64)),
    Option<i64> => |v| Self::Int(v),
    f64 => |v| Self::Real(Some(v)),
    bool => |v| Self::Bool(v),
    &str => |v| Self::Text(Some(v.to_owned())),
    &String => |v| Self::Text(Some(v.clone())),
    String => |v| Self::Text(Some(v)),
    Option<String> => |v| Self::Text(v),
    Json => |v| Self::Json(v),
    Vec<u8> => |v| Self::Bytes(Some(v)),
    Option<Vec<u8>> => |v| Self::Bytes(v),
}

/// The arguments of a statement, converted.
#[macro_export]
#[doc(hidden)]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::value::Value::from($value)),*][..] };
}

/// A row of a result, its columns by position.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// An integer (or boolean) column; `None` for NULL or another type.
    pub fn int(&self, i: usize) -> Option<i64> {
        match self.0.get(i)? {
            Value::Int(n) => *n,
            Value::Bool(b) => Some((*b).into()),
            Value::Real(n) => n.map(|n| n as i64),
            _ => None,
        }
    }

    /// A number column.
    pub fn real(&self, i: usize) -> Option<f64> {
        match self.0.get(i)? {
            Value::Real(n) => *n,
            Value::Int(n) => n.map(|n| n as f64),
            _ => None,
        }
    }

    /// A text column.
    pub fn text(&self, i: usize) -> Option<&str> {
        match self.0.get(i)? {
            Value::Text(text) => text.as_deref(),
            _ => None,
        }
    }

    /// A text column, empty for NULL.
    pub fn string(&self, i: usize) -> String {
        self.text(i).unwrap_or_default().to_owned()
    }

    /// A JSON column, however the database stores it.
    pub fn json(&self, i: usize) -> Json {
        match self.0.get(i) {
            Some(Value::Json(json)) => json.clone(),
            Some(Value::Text(Some(text))) => serde_json::from_str(text).unwrap_or(Json::Null),
            _ => Json::Null,
        }
    }

    /// A column of bytes; empty for NULL.
    pub fn bytes(&self, i: usize) -> &[u8] {
        match self.0.get(i) {
            Some(Value::Bytes(Some(bytes))) => bytes,
            Some(Value::Text(Some(text))) => text.as_bytes(),
            _ => &[],
        }
    }
}
