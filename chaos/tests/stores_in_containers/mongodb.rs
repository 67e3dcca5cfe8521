//! MongoDB: logins, hashes, indexes.

use gauntlet_chaos::drill::content::Digest;
use gauntlet_chaos::stores::mongodb::{documents, indexes};
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::IndexOptions;
use mongodb::{Client, Collection, Database, IndexModel};
use std::collections::BTreeMap;
use testcontainers::core::WaitFor;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};

async fn server() -> ContainerAsync<GenericImage> {
    GenericImage::new("gauntlet/mongodb-wire", "dev")
        .with_wait_for(WaitFor::message_on_stderr("ready for clients"))
        .with_network("bridge")
        .with_env_var("MONGO_INITDB_ROOT_USERNAME", "drill")
        .with_env_var("MONGO_INITDB_ROOT_PASSWORD", "right")
        .start()
        .await
        .expect("the image is made by `cargo xtask up`")
}

async fn database(server: &ContainerAsync<GenericImage>, password: &str) -> Database {
    let address = server.get_bridge_ip_address().await.expect("an address");
    let uri = format!("mongodb://drill:{password}@{address}:27017/?authMechanism=PLAIN&directConnection=true&serverSelectionTimeoutMS=5000");
    Client::with_uri_str(uri).await.expect("a connection string").database("drill")
}

async fn digest(collection: &Collection<RawDocumentBuf>) -> Digest {
    let mut cursor = collection.find(doc! {}).await.expect("find");
    let mut all = Vec::new();
    while cursor.advance().await.expect("advance") {
        all.push(cursor.current().to_owned());
    }
    Digest::of(documents(all.iter().map(|d: &RawDocumentBuf| &**d)).values())
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn the_drill_sees_content_and_indexes_as_the_server_keeps_them() {
    let server = server().await;
    let database = database(&server, "right").await;
    let order = |n: i32| doc! {"_id": format!("o{n}"), "quantity": i64::from(n), "side": "BUY"};
    let (forwards, backwards) = (database.collection::<Document>("forwards"), database.collection::<Document>("backwards"));
    forwards.insert_many((0..50).map(order)).await.expect("insert");
    backwards.insert_many((0..50).rev().map(order)).await.expect("insert");
    let (one, other) = (digest(&database.collection("forwards")).await, digest(&database.collection("backwards")).await);
    assert_eq!(one, other, "the order of writes must not matter");

    backwards.update_one(doc! {"_id": "o7"}, doc! {"$set": {"quantity": 8_i64}}).await.expect("update");
    assert_ne!(one, digest(&database.collection("backwards")).await, "one changed field must be noticed");

    let by_side = IndexModel::builder().keys(doc! {"side": 1}).options(IndexOptions::builder().name("by_side".to_owned()).build()).build();
    forwards.create_index(by_side).await.expect("create an index");
    let kept = indexes::of_server(&database, ["forwards".to_owned()].iter()).await.expect("list").remove("forwards").expect("listed");
    assert!(kept.contains_key("by_side"), "{kept:?}");
    let wanted = BTreeMap::from([("backwards".to_owned(), kept)]);
    let bare = indexes::of_server(&database, wanted.keys()).await.expect("list");
    assert_ne!(wanted, bare, "a missing index must be noticed");
    indexes::make(&database, &wanted).await.expect("make");
    let made = indexes::of_server(&database, wanted.keys()).await.expect("list");
    assert_eq!(wanted, made);
}

#[tokio::test]
#[ignore = "needs an engine and our images: cargo xtask test"]
async fn a_wrong_password_is_refused() {
    let server = server().await;
    let refused = database(&server, "wrong").await.collection::<Document>("orders").insert_one(doc! {"_id": 1}).await;
    assert!(refused.is_err(), "{refused:?}");
}
