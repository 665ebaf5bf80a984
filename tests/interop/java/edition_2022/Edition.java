import seap.GetNextDocumentRequest;

/** What differs between the editions of the contract: here the request has a type. */
class Edition {
    static GetNextDocumentRequest nothingSpecial() {
        return new GetNextDocumentRequest();
    }
}
