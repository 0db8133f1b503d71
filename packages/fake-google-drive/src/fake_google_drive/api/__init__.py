"""The Drive v3 interface of the double, over HTTP."""
