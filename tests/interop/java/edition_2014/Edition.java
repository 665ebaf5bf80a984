/** What differs between the editions of the contract: here the request has no type, so anything may be given. */
class Edition {
    static Object nothingSpecial() {
        return "";
    }
}
