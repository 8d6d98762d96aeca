//! The descriptions that the API gives of itself and of the gametimes file: complete, and true of real answers and files.

use std::path::Path;

use gametimes_bot::files::ingest::ingest;
use gametimes_bot::{Bot, Config};
use gametimes_test_support::bot::{config_in, fetch, get};
use gametimes_test_support::samples::{native_files, samples};
use serde_json::Value;

async fn bot(config: Config) -> Bot {
    let bot = gametimes_bot::start(config).await.unwrap();
    let paths = [samples().join("gamestats"), samples().join("../native")];
    ingest(&bot.store, &paths, "", false).await.unwrap();
    bot
}

/// Follows a `$ref` within its document.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        None => schema,
        Some(path) => {
            let target = document.pointer(path.strip_prefix('#').unwrap());
            resolve(
                document,
                target.unwrap_or_else(|| panic!("{path} leads nowhere")),
            )
        }
    }
}

/// Why a value is not as its schema describes it; `None` if it is. The keywords are those that our schemas use. Keys that the schema
/// does not name count as wrong, because ours are all named.
fn mismatch(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolve(document, schema);
    for keyword in ["oneOf", "anyOf"] {
        if let Some(options) = schema[keyword].as_array() {
            let fits = options
                .iter()
                .any(|o| mismatch(document, o, value, at).is_none());
            return (!fits).then(|| format!("{at}: {value} fits none of {options:?}"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array() {
        return (!allowed.contains(value)).then(|| format!("{at}: {value}"));
    }
    if let Some(only) = schema.get("const") {
        return (only != value).then(|| format!("{at}: {value}"));
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is_type = |name: &Value| name == kind || (kind == "integer" && name == "number");
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(types) => types.iter().any(is_type),
        name => is_type(name),
    };
    if !fits {
        return Some(format!("{at}: {value} is no {}", schema["type"]));
    }
    match value {
        Value::Array(items) => items.iter().find_map(|item| {
            let schema = schema.get("items")?;
            mismatch(document, schema, item, &format!("{at}[]"))
        }),
        Value::Object(fields) => object_mismatch(document, schema, fields, at),
        _ => None,
    }
}

fn object_mismatch(
    document: &Value,
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    at: &str,
) -> Option<String> {
    // A flattened struct is one part of an `allOf`, the other fields are another.
    let one = [schema.clone()];
    let parts: &[Value] = schema["allOf"].as_array().map_or(&one, |parts| parts);
    let parts: Vec<&Value> = parts.iter().map(|part| resolve(document, part)).collect();
    let required = parts.iter().filter_map(|part| part["required"].as_array());
    let missing = required
        .flatten()
        .find(|name| !fields.contains_key(name.as_str().unwrap()));
    if let Some(missing) = missing {
        return Some(format!("{at}: {missing} is missing"));
    }
    fields.iter().find_map(|(name, value)| {
        let at = format!("{at}.{name}");
        let described = parts.iter().find_map(|part| part["properties"].get(name));
        let others = parts
            .iter()
            .find_map(|part| part.get("additionalProperties"));
        let free = parts.iter().all(|part| part.get("properties").is_none());
        match described.or(others.filter(|others| others.is_object())) {
            Some(schema) => mismatch(document, schema, value, &at),
            None => (!free).then(|| format!("{at} is not described")),
        }
    })
}

/// Compares with the file in docs/; `UPDATE_GOLDEN=1` writes it.
fn assert_documented(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let documented = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        documented == text,
        "docs/{name} is outdated; set UPDATE_GOLDEN=1"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_api_is_described_in_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config_in(&folder);
    let bot = bot(config.clone()).await;
    let (_, spec) = get(&bot.url("/api/openapi.json")).await;
    let text = serde_json::to_string_pretty(&spec).unwrap() + "\n";
    assert_documented("openapi.json", &text);
    assert!(spec["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(spec["servers"][0]["url"], "/");
    let schemes = spec["components"]["securitySchemes"].as_object().unwrap();
    let mut checked = 0;
    for (path, item) in spec["paths"].as_object().unwrap() {
        let operation = &item["get"];
        let texts = ["operationId", "summary"];
        assert!(
            texts
                .iter()
                .all(|name| !operation[name].as_str().unwrap_or_default().is_empty()),
            "{path}"
        );
        let security = operation.get("security").or(spec.get("security"));
        for option in security.and_then(Value::as_array).expect("security") {
            let names: Vec<&String> = option.as_object().unwrap().keys().collect();
            assert!(
                names.iter().all(|name| schemes.contains_key(*name)),
                "{path}: {option}"
            );
        }
        let responses = operation["responses"].as_object().unwrap();
        assert!(
            responses.keys().any(|status| status.starts_with('4')),
            "{path}"
        );
        for (status, response) in responses {
            let description = response["description"].as_str().unwrap_or_default();
            assert!(
                !description.is_empty(),
                "{path}: {status} has no description"
            );
            let is_empty = response["content"]
                .as_object()
                .is_none_or(serde_json::Map::is_empty);
            assert_eq!(is_empty, status == "304", "{path}: {status}");
            checked += 1;
        }
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let in_path = parameters
            .filter(|parameter| parameter["in"] == "path")
            .count();
        assert_eq!(in_path, path.matches('{').count(), "{path}");
    }
    assert!(checked > 30, "{checked}");
    bot.stop().await.unwrap();

    config.public_url = Some("https://stats.example.org".into());
    let bot = gametimes_bot::start(config).await.unwrap();
    let (_, spec) = get(&bot.url("/api/openapi.json")).await;
    assert_eq!(spec["servers"][0]["url"], "https://stats.example.org");
    bot.stop().await.unwrap();
}

/// Values at the limits of a parameter that are answered, values beyond them that are not, and what the answer to those says.
fn limits(parameter: &Value) -> (Vec<String>, Vec<String>, Option<String>) {
    let schema = &parameter["schema"];
    let description = parameter["description"].as_str().unwrap();
    if schema["type"] == "integer" {
        let [least, most] = ["minimum", "maximum"].map(|limit| {
            let limit = schema[limit].as_f64();
            limit.unwrap_or_else(|| panic!("{parameter} has no limits")) as i64
        });
        let (before, _) = description.split_once(" if missing").unwrap_or_default();
        let default = before
            .rsplit(' ')
            .next()
            .filter(|n| n.parse::<i64>().is_ok());
        let says = default.map(|n| format!("from {least} to {most}; {n} if missing"));
        let text = |n: i64| n.to_string();
        return (
            vec![text(least), text(most)],
            vec![text(least - 1), text(most + 1)],
            says,
        );
    }
    if schema["format"] == "date" {
        return (vec!["2026-12-31".into()], vec!["2026-12-32".into()], None);
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        let text = |n: u64| "x".repeat(n as usize);
        return (vec![text(most)], vec![text(most + 1)], None);
    }
    // The words that are allowed.
    let words = description.split('`').skip(1).step_by(2);
    (words.map(str::to_owned).collect(), vec!["x".into()], None)
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_of_the_api_have_the_limits_that_are_described() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let (_, spec) = get(&bot.url("/api/openapi.json")).await;
    let mut checked = 0;
    for (path, item) in spec["paths"].as_object().unwrap() {
        if path.contains('{') {
            continue;
        }
        let parameters = item["get"]["parameters"].as_array();
        let parameters = parameters.map_or(&[][..], Vec::as_slice);
        let mut described: Vec<&str> = Vec::new();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap();
            described.push(name);
            let (within, beyond, says) = limits(parameter);
            assert!(!within.is_empty(), "{path}: {name}");
            for value in within {
                let url = format!("{path}?{name}={value}");
                assert_eq!(get(&bot.url(&url)).await.0, 200, "{url}");
            }
            for value in beyond {
                let url = format!("{path}?{name}={value}");
                let (status, answer) = get(&bot.url(&url)).await;
                assert_eq!(status, 400, "{url}");
                let allowed = answer["error"]["allowed"].as_str().unwrap();
                let says = says.as_deref().unwrap_or(name);
                assert!(allowed.contains(says), "{url}: {allowed}, not {says}");
                checked += 1;
            }
        }
        // The parameters that are taken are those that are described. Some paths take any, and use none.
        if path.ends_with("/stream") {
            continue;
        }
        let (status, answer) = get(&bot.url(&format!("{path}?no_such=1"))).await;
        let allowed = answer["error"]["allowed"].as_str().unwrap_or("none");
        let mut taken: Vec<&str> = allowed.split(", ").filter(|name| *name != "none").collect();
        taken.sort_unstable();
        described.sort_unstable();
        assert_eq!(taken, described, "{path}: {status}");
    }
    assert!(checked > 25, "{checked}");
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_api_are_as_described() {
    let folder = tempfile::tempdir().unwrap();
    let bot = bot(config_in(&folder)).await;
    let (_, spec) = get(&bot.url("/api/openapi.json")).await;
    let mut asked: Vec<(String, String)> = Vec::new();
    let paths = spec["paths"].as_object().unwrap().keys();
    // A stream is not JSON.
    for path in paths.filter(|path| !path.ends_with("/stream")) {
        for id in 1..=if path.contains("{id}") { 7 } else { 1 } {
            asked.push((
                path.clone(),
                path.replace("{id}", &id.to_string())
                    .replace("{guid}", "A0000001"),
            ));
        }
    }
    asked.push(("/api/rounds".into(), "/api/rounds?limit=0".into()));
    asked.push(("/api/rounds/{id}".into(), "/api/rounds/77".into()));
    asked.push(("/api/players".into(), "/api/players?sort=luck".into()));
    asked.push(("/api/players/{guid}".into(), "/api/players/B0000001".into()));
    for (path, url) in asked {
        let answer = fetch(&bot.url(&url), &[]).await;
        let status = answer.status().as_str().to_owned();
        let content_type = answer.headers()["content-type"].to_str().unwrap();
        let response = &spec["paths"][&path]["get"]["responses"][&status];
        let schema = &response["content"][content_type]["schema"];
        assert!(
            schema.is_object(),
            "{url}: {status} {content_type} is not described"
        );
        let value: Value = serde_json::from_slice(answer.body()).unwrap();
        let wrong = mismatch(&spec, schema, &value, &url);
        assert_eq!(wrong, None);
        // The check notices a key that is missing and one that is not described.
        if url == "/api/rounds/1" {
            for key in ["map_name", "players"] {
                let mut value = value.clone();
                let found = value.as_object_mut().unwrap().remove(key).unwrap();
                assert!(mismatch(&spec, schema, &value, &url).is_some(), "{key}");
                value[key] = found;
                value[format!("{key}_2")] = "x".into();
                assert!(mismatch(&spec, schema, &value, &url).is_some(), "{key}");
            }
        }
    }
    bot.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_of_the_gametimes_file_fits_the_files_of_the_module() {
    let folder = tempfile::tempdir().unwrap();
    let bot = gametimes_bot::start(config_in(&folder)).await.unwrap();
    let answer = fetch(&bot.url("/api/gametimes.schema.json"), &[]).await;
    assert_eq!(answer.headers()["content-type"], "application/schema+json");
    bot.stop().await.unwrap();
    let text = String::from_utf8(answer.into_body()).unwrap();
    assert_documented("gametimes.schema.json", &text);
    let schema: Value = serde_json::from_str(&text).unwrap();
    for folder in ["public40", "stopwatch", "surrender"] {
        for (name, bytes) in native_files(folder) {
            let mut file: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(mismatch(&schema, &schema, &file, &name), None);
            file["meta"]["round"] = "1".into();
            assert!(mismatch(&schema, &schema, &file, &name).is_some());
            file["meta"]["round"] = 1.into();
            file["meta"].as_object_mut().unwrap().remove("map");
            assert!(mismatch(&schema, &schema, &file, &name).is_some());
        }
    }
}
