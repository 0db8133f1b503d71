"""Engine.IO and Socket.IO over uvicorn.

This package alone uses private parts of uvicorn, python-engineio and python-socketio. Each one is
listed in `tests/contract/test_transport_seams.py`.
"""
