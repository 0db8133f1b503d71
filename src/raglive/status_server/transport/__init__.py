"""Engine.IO and Socket.IO over uvicorn; nothing else touches private parts of these."""
