//! Values that are written to and read from either database.

use std::sync::Arc;

use gametimes_format::{Team, TeamNumber};
use serde_json::Value as Json;

/// A value of a column. `None` is NULL; PostgreSQL needs its type, which the variant determines.
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

/// Columns and values of a row that is written.
pub type Columns = Vec<(&'static str, Value)>;

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

/// `column = EXCLUDED.column, ...`: the SET list of an upsert.
pub(super) fn set_excluded(columns: &[&str]) -> String {
    let set = |column: &&str| format!("{column} = EXCLUDED.{column}");
    columns.iter().map(set).collect::<Vec<_>>().join(", ")
}

/// The arguments of a statement, converted.
#[macro_export]
#[doc(hidden)]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::value::Value::from($value)),*][..] };
}

/// A row of a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The columns' names, shared by all rows of a result.
    names: Arc<[String]>,
    values: Vec<Value>,
}

impl Row {
    pub(super) fn new(names: Arc<[String]>, values: Vec<Value>) -> Self {
        Self { names, values }
    }

    /// The value of a column. NULL and values of another type give the default: `None` for an `Option`, else 0 or empty.
    pub fn get<T: FromValue>(&self, column: &str) -> T {
        let at = self.names.iter().position(|name| name == column);
        debug_assert!(at.is_some(), "the query returns no column {column}");
        at.and_then(|at| T::from_value(&self.values[at]))
            .unwrap_or_default()
    }

    /// All values, in the order of the query.
    pub fn values(&self) -> &[Value] {
        &self.values
    }
}

/// A type that the value of a column converts to.
pub trait FromValue: Default {
    /// The value as this type; `None` for NULL and for a value of another type.
    fn from_value(value: &Value) -> Option<Self>;
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Option<Self> {
        Some(T::from_value(value))
    }
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(n) => *n,
            Value::Bool(b) => Some((*b).into()),
            Value::Real(n) => n.map(|n| n as Self),
            _ => None,
        }
    }
}

impl FromValue for u64 {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).and_then(|n| n.try_into().ok())
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Real(n) => *n,
            Value::Int(n) => n.map(|n| n as Self),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(|n| n != 0)
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => text.clone(),
            _ => None,
        }
    }
}

/// SQLite stores JSON as text.
impl FromValue for Json {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Json(json) => Some(json.clone()),
            Value::Text(Some(text)) => serde_json::from_str(text).ok(),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => bytes.clone(),
            Value::Text(text) => text.clone().map(String::into_bytes),
            _ => None,
        }
    }
}

/// A text column; `None` for NULL and for an empty text.
pub(super) fn non_empty(row: &Row, column: &str) -> Option<String> {
    row.get::<Option<String>>(column)
        .filter(|text| !text.is_empty())
}

/// The team with a number of the database; other bots may have stored any number.
pub(super) fn team(number: Option<i64>) -> Option<Team> {
    Team::from_number(number?.try_into().ok()?)
}
