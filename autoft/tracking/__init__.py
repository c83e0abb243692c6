"""MLflow: results published as runs, the best model in the registry, and the way back to both.

MLflow reads most of these switches when it is first used, so they are set before it is imported.
"""

import os

for _switch, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    # A dead server is answered by our own retries in the background, not by minutes inside one call.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}.items():
    os.environ.setdefault(_switch, _value)
# A creation that arrived and was answered with an error would be made a second time.
os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "0"
