"""The pages, one module each, and the script that Streamlit runs for every viewer (``main.py``)."""
