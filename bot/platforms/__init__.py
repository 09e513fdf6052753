"""Where people are: each platform turns its events into questions and answers into its markup."""
