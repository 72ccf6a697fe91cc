"""What people can ask for, the same for the command line and the web; each is one transaction on the store."""
