"""The status server: Socket.IO namespaces and HTTP, on one port."""
