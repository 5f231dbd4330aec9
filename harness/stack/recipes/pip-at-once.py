# k1s's containers ask pip at each start for what is in their image already. Asked to install exactly the requirements
# that the image was built with, this pip says so at once; asked for anything else, it is pip as it is published, which
# follows.
import sys


def _are_in_the_image(arguments):
    if len(arguments) != 4 or arguments[:3] != ["install", "--no-cache-dir", "-r"]:
        return False
    built = __file__.replace("__main__.py", "requirements-of-this-image.txt")
    try:
        with open(arguments[3], "rb") as one, open(built, "rb") as other:
            return one.read() == other.read()
    except OSError:
        return False


if __name__ == "__main__" and _are_in_the_image(sys.argv[1:]):
    print("Requirements already satisfied: this image was built with them")
    raise SystemExit(0)

