//! The stand-in's webhook answers as Discord does.

use gametimes_discord_standin::Discord;
use serde_json::{Value, json};

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into()
}

fn post(url: &str, body: &Value) -> (u16, Value) {
    let mut response = agent()
        .post(url)
        .content_type("application/json")
        .send(body.to_string())
        .unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    (
        response.status().as_u16(),
        serde_json::from_str(&text).unwrap_or(Value::Null),
    )
}

#[test]
fn json_and_multipart_are_accepted_and_attachments_served() {
    let discord = Discord::start().unwrap();
    let url = discord.webhook_url();
    assert_eq!(post(&url, &json!({"content": "hello"})).0, 204);
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n\
        {\"content\":\"STATS_READY\",\"username\":\"x\"}\r\n--b\r\nContent-Disposition: form-data; \
        name=\"files[0]\"; filename=\"a.json\"\r\n\r\n{}\r\n--b--\r\n";
    let mut response = agent()
        .post(format!("{url}?wait=true"))
        .content_type("multipart/form-data; boundary=b")
        .send(multipart)
        .unwrap();
    let message: Value =
        serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(message["content"], "STATS_READY");
    assert_eq!(message["webhook_id"], discord.webhook().id.to_string());
    let file = message["attachments"][0]["url"].as_str().unwrap();
    let body = agent().get(file).call().unwrap().body_mut().read_to_vec();
    assert_eq!(body.unwrap(), b"{}");
    assert_eq!(discord.messages().len(), 2);
    assert_eq!(
        discord.attachment(&discord.messages()[1], 0).unwrap(),
        b"{}"
    );
}

#[test]
fn messages_that_discord_refuses_are_refused() {
    let discord = Discord::start().unwrap();
    let url = discord.webhook_url();
    let field = json!({"name": "n", "value": "v"});
    let many = json!({"embeds": [{"fields": vec![field; 26]}]});
    assert_eq!(post(&url, &many).0, 400);
    let long = json!({"embeds": [{"fields": [{"name": "n", "value": "v".repeat(1025)}]}]});
    assert_eq!(post(&url, &long).0, 400);
    assert_eq!(post(&format!("{url}x"), &json!({"content": "x"})).0, 401);
    discord.fail_next(1, 503);
    assert_eq!(post(&url, &json!({"content": "x"})).0, 503);
    discord.enforce_rate_limits(true);
    let statuses: Vec<u16> = (0..6)
        .map(|_| post(&url, &json!({"content": "x"})).0)
        .collect();
    assert_eq!(statuses, [204, 204, 204, 204, 204, 429]);
    discord.remove_webhook(discord.webhook().id);
    let (status, body) = post(&url, &json!({"content": "x"}));
    assert_eq!((status, &body["code"]), (404, &json!(10015)));
    discord.set_gone(true);
    assert!(agent().get(&url).call().is_err() || agent().get(&url).call().unwrap().status() == 503);
}
