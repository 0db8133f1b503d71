"""The contract: events, cursors, HTTP and Socket.IO models, rights and errors. No I/O."""
