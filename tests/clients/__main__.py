"""Writes down what the clients of this machine send."""

from tests.clients import main

if __name__ == "__main__":
    main()
