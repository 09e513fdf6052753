"""All SQL: the database, its migrations, and one module per thing that is stored."""
