// The user that shopsight publishes with, and no more than it needs. Run it as an administrator:
//
//     mongosh "mongodb://admin@localhost/" samples/mongo/role.js
//
// If target_database is not "shopsight", change the name in every place below.

const shop = db.getSiblingDB("shopsight");

shop.createRole(
  {
    "role": "shopsight_publisher",
    "privileges": [
      {
        "resource": { "db": "shopsight", "collection": "" },
        "actions": [
          "find",
          "insert",
          "update",
          "createCollection",
          "createIndex",
          "collMod",
          "dropCollection",
          "listCollections"
        ]
      }
    ],
    "roles": []
  }
);

shop.createUser({ user: "shopsight", pwd: passwordPrompt(), roles: ["shopsight_publisher"] });

// Applications that read need MongoDB's own role "read" on this database:
//
//     shop.createUser({ user: "dashboard", pwd: passwordPrompt(), roles: [{ role: "read", db: "shopsight" }] });
