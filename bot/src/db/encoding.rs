//! Binds [`Value`]s to the statements of either database, and reads them from its rows.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value as Json;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Postgres, Row as _, Sqlite, TypeInfo, ValueRef};

use super::error::DbError;
use super::value::{Columns, Row, Value};

pub(super) type SqliteQuery<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;
pub(super) type PostgresQuery<'q> = sqlx::query::Query<'q, Postgres, PgArguments>;

// Statements contain only names from this crate. Everything that was received is bound as a value.
pub(super) fn sqlite_query<'q>(
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> SqliteQuery<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Int(v) => query.bind(v),
            Value::Real(v) => query.bind(v),
            Value::Text(v) => query.bind(v),
            Value::Json(v) => query.bind(v.to_string()),
            Value::Bool(v) => query.bind(v),
            Value::Bytes(v) => query.bind(v),
            Value::Time(v) => query.bind(sqlite_time(v)),
        };
    }
    query
}

pub(super) fn postgres_query<'q>(sql: &str, values: &[Value]) -> PostgresQuery<'q> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for value in values {
        query = match value {
            Value::Int(v) => query.bind(*v),
            Value::Real(v) => query.bind(*v),
            // PostgreSQL cannot store U+0000 in text.
            Value::Text(v) => query.bind(v.as_ref().map(|v| v.replace('\0', ""))),
            Value::Json(v) => query.bind(v.clone()),
            Value::Bool(v) => query.bind(*v),
            Value::Bytes(v) => query.bind(v.clone()),
            Value::Time(v) => query.bind(*v as f64),
        };
    }
    query
}

/// Pairs of numbers as one value: a JSON object, for `json_each`.
pub(super) fn sqlite_pairs(pairs: &[(i64, i64)]) -> Value {
    let object: serde_json::Map<String, Json> = pairs
        .iter()
        .map(|(key, value)| (key.to_string(), (*value).into()))
        .collect();
    Value::Text(Some(Json::Object(object).to_string()))
}

/// A statement with one array for each column of these rows, which all have the same columns and types.
pub(super) fn postgres_arrays<'q>(
    sql: &str,
    rows: Vec<Columns>,
) -> Result<PostgresQuery<'q>, DbError> {
    let count = rows.len();
    let names = rows.first().into_iter().flatten().map(|(name, _)| *name);
    let mut columns: Vec<(&str, Vec<Value>)> = names
        .map(|name| (name, Vec::with_capacity(count)))
        .collect();
    for row in rows {
        for ((expected, values), (name, value)) in columns.iter_mut().zip(row) {
            if *expected != name {
                let text = format!("column {name} instead of {expected}");
                return Err(DbError::Content(text));
            }
            values.push(value);
        }
    }
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for (name, values) in columns {
        if values.len() != count {
            return Err(DbError::Content(format!("column {name} is missing")));
        }
        query = bind_array(query, name, values)?;
    }
    Ok(query)
}

/// A statement whose condition ends in a column, which must have one of these values of one type: one parameter for all of them, so
/// that it is prepared once.
pub(super) fn postgres_list<'q>(sql: &str, values: &[Value]) -> Result<PostgresQuery<'q>, DbError> {
    let query = sqlx::query(AssertSqlSafe(format!("{sql} = ANY($1)")));
    bind_array(query, "of a list", values.to_vec())
}

/// Binds values of one type as an array. Column `name` is for the error.
fn bind_array<'q>(
    query: PostgresQuery<'q>,
    name: &str,
    values: Vec<Value>,
) -> Result<PostgresQuery<'q>, DbError> {
    macro_rules! array {
        ($pattern:pat => $value:expr) => {
            values
                .into_iter()
                .map(|value| match value {
                    $pattern => Ok($value),
                    other => Err(DbError::Content(format!("column {name}: {other:?}"))),
                })
                .collect::<Result<Vec<_>, DbError>>()?
        };
    }
    Ok(match values.first() {
        None => query,
        Some(Value::Int(_)) => query.bind(array!(Value::Int(v) => v)),
        Some(Value::Real(_)) => query.bind(array!(Value::Real(v) => v)),
        // PostgreSQL cannot store U+0000 in text.
        Some(Value::Text(_)) => {
            query.bind(array!(Value::Text(v) => v.map(|v| v.replace('\0', ""))))
        }
        Some(Value::Json(_)) => query.bind(array!(Value::Json(v) => v)),
        Some(Value::Bool(_)) => query.bind(array!(Value::Bool(v) => v)),
        Some(Value::Bytes(_)) => query.bind(array!(Value::Bytes(v) => v)),
        Some(Value::Time(_)) => query.bind(array!(Value::Time(v) => v as f64)),
    })
}

/// A time in the format of SQLite's CURRENT_TIMESTAMP.
fn sqlite_time(unix: i64) -> String {
    Timestamp::from_second(unix)
        .unwrap_or_default()
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

/// Converts the rows of a result, which share the names of their columns.
pub(super) fn convert<R: sqlx::Row>(
    rows: &[R],
    values: fn(&R) -> Result<Vec<Value>, DbError>,
) -> Result<Vec<Row>, DbError> {
    let Some(first) = rows.first() else {
        return Ok(Vec::new());
    };
    let names: Arc<[String]> = first
        .columns()
        .iter()
        .map(|c| c.name().to_owned())
        .collect();
    rows.iter()
        .map(|row| Ok(Row::new(Arc::clone(&names), values(row)?)))
        .collect()
}

pub(super) fn from_sqlite(row: &SqliteRow) -> Result<Vec<Value>, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for i in 0..row.len() {
        let raw = row.try_get_raw(i)?;
        let kind = raw.type_info().name().to_owned();
        values.push(match kind.as_str() {
            _ if raw.is_null() => Value::Text(None),
            "REAL" => Value::Real(Some(row.try_get_unchecked(i)?)),
            "TEXT" => Value::Text(Some(row.try_get_unchecked(i)?)),
            "BLOB" => Value::Bytes(Some(row.try_get_unchecked(i)?)),
            _ => Value::Int(Some(row.try_get_unchecked(i)?)),
        });
    }
    Ok(values)
}

pub(super) fn from_postgres(row: &PgRow) -> Result<Vec<Value>, DbError> {
    let mut values = Vec::with_capacity(row.len());
    for (i, column) in row.columns().iter().enumerate() {
        values.push(match column.type_info().name() {
            "INT2" => Value::Int(row.try_get::<Option<i16>, _>(i)?.map(Into::into)),
            "INT4" => Value::Int(row.try_get::<Option<i32>, _>(i)?.map(Into::into)),
            "INT8" => Value::Int(row.try_get(i)?),
            "FLOAT4" => Value::Real(row.try_get::<Option<f32>, _>(i)?.map(Into::into)),
            "FLOAT8" => Value::Real(row.try_get(i)?),
            "BOOL" => Value::Int(row.try_get::<Option<bool>, _>(i)?.map(Into::into)),
            "BYTEA" => Value::Bytes(row.try_get(i)?),
            "JSON" | "JSONB" => Value::Json(
                row.try_get::<Option<serde_json::Value>, _>(i)?
                    .unwrap_or_default(),
            ),
            "TEXT" | "VARCHAR" | "NAME" | "BPCHAR" => Value::Text(row.try_get(i)?),
            "VOID" => Value::Text(None),
            other => {
                let name = column.name();
                return Err(DbError::Content(format!(
                    "column {name} has the type {other}"
                )));
            }
        });
    }
    Ok(values)
}
